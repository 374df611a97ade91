"""Django's PostgreSQL backend, with host and user filled in when a connection is wanted."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base, client
from django.db.utils import OperationalError

from config.embedded_postgres import installation
from config.embedded_postgres.errors import ServerError
from config.embedded_postgres.server import Server


class DatabaseClient(client.DatabaseClient):
    """`manage.py dbshell` with the psql that came with the server."""

    def runshell(self, parameters: Iterable[str]) -> None:
        type(self).executable_name = str(installation.bin_path("psql"))
        params = self.connection.get_connection_params()
        for key in ("HOST", "USER"):
            self.connection.settings_dict[key] = params[key.lower()]
        super().runshell(parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        """Make sure that the server runs, then say where. Called for every new connection."""
        params: dict[str, Any] = super().get_connection_params()
        server = Server(Path(self.settings_dict["DATA_DIR"]))
        try:
            socket_dir = server.ensure_running()
        except ServerError as error:
            raise OperationalError(str(error)) from error
        return params | {"host": str(socket_dir), "user": installation.SUPERUSER}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Try twice: another process, the last one out, may be stopping the server just now."""
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError:
            return super().get_new_connection(conn_params | self._address())

    def _address(self) -> dict[str, Any]:
        params = self.get_connection_params()
        return {"host": params["host"], "user": params["user"]}
