"""End the process's LISTEN connection, so that no test leaves one behind."""

from django.db import connection

from workspaces.listening import hub


def stop_hub() -> None:
    """Stop the hub if it runs; it looks whether it is stopped when something rings."""
    if hub()._thread is None or not hub()._thread.is_alive():
        return
    hub()._stopped.set()
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY pools")
    hub().stop()
