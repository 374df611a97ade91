"""The same statements without the product: recorded once, played by psycopg and by pgbench.

A recording knows which of its values are made anew each time: ids, names, the instant. Whoever
plays it gives fresh ones, so that every run touches rows of its own, as the product's does.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.json import Jsonb

from config.embedded_postgres.installation import bin_path

Values = dict[str, Any]
Learned = Mapping[str, Mapping[str, str]]
NOTHING: Mapping[str, str] = {}
ANSWER = re.compile(r"^(SELECT|RETURNING) ", re.MULTILINE)
"""Where a statement says what it answers: its first SELECT, or the RETURNING of an UPDATE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement; `learns` names what the first column of its answer is."""

    sql: str
    parameters: Any
    learns: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The statements of one transaction; `names` are the values that change, and their names.

    Or, when not `atomic`, statements that are each a transaction of their own.
    """

    statements: Sequence[Statement]
    names: Mapping[Any, str]
    atomic: bool = True

    def play(self, bare: psycopg.Connection[Any], values: Values) -> None:
        """Send the statements, prepared, in one transaction, with these values."""
        for one in self.statements:
            cursor = bare.execute(one.sql, self._filled(one.parameters, values), prepare=True)
            rows = cursor.fetchall() if cursor.description else []
            if one.learns:
                values[one.learns] = rows[0][0]
        bare.commit()

    def as_script(self, *, learns: Learned, inline: Mapping[str, str] = NOTHING) -> str:
        """Write it for pgbench, which sends no statement more than the product does.

        `learns`: by words in a statement, which changing values it also answers, and the SQL of
        each. `inline` is what a value is, as SQL, in a statement before one that answers it.
        """
        known: set[str] = set()
        lines = []
        with bare_connection() as bare:
            cursor = psycopg.ClientCursor(bare)
            for one in self.statements:
                text = cursor.mogrify(one.sql, one.parameters).strip()
                for value, name in self.names.items():
                    written = f":{name}" if name in known else inline.get(name, f":{name}")
                    text = text.replace(cursor.mogrify("%s", [value]), written)
                columns = next((made for words, made in learns.items() if words in text), {})
                known |= set(columns)
                lines.append(_answering(text, columns))
        return "\n".join(["BEGIN;", *lines, "COMMIT;", ""] if self.atomic else [*lines, ""])

    def _filled(self, parameters: Any, values: Values) -> Any:
        if isinstance(parameters, Mapping):
            return {key: self._fresh(value, values) for key, value in parameters.items()}
        return [self._fresh(value, values) for value in parameters or ()]

    def _fresh(self, value: Any, values: Values) -> Any:
        name = None if isinstance(value, (Jsonb, list, dict)) else self.names.get(value)
        return value if name is None else values[name]


def record(work: Callable[[], object]) -> list[Statement]:
    """Run the work and return what it sent, in order."""
    sent: list[Statement] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        assert not many, sql
        sent.append(Statement(sql=sql, parameters=parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        work()
    return sent


def learning(statements: Sequence[Statement], words: str, name: str) -> list[Statement]:
    """Return them with the one that holds the words marked as the one that answers `name`."""
    assert sum(words in one.sql for one in statements) == 1, words
    return [
        Statement(sql=one.sql, parameters=one.parameters, learns=name) if words in one.sql else one
        for one in statements
    ]


@contextmanager
def bare_connection(**options: Any) -> Any:
    """Connect to the product's database with psycopg alone."""
    with psycopg.connect(**_address(), **options) as bare:
        yield bare


def pgbench(text: str, *, clients: int, each: int) -> float:
    """Return how often per second so many clients play a script, each so often."""
    where = _address()
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(text)
        script.flush()
        return _play(script.name, where, clients=clients, each=each)


def _play(script: str, where: Mapping[str, Any], *, clients: int, each: int) -> float:
    done = subprocess.run(
        [str(bin_path("pgbench")), "-n", "-M", "prepared", "-j", "2"]
        + ["-c", str(clients), "-t", str(each), "-f", script, where["dbname"]],
        env=os.environ
        | {f"PG{key.upper()}": str(value) for key, value in where.items() if key != "dbname"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "number of failed transactions: 0" in done.stdout, done.stdout
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    assert found, done.stdout
    return float(found[1])


def _answering(text: str, columns: Mapping[str, str]) -> str:
    """Return a statement as pgbench wants it, which answers these columns as well."""
    if not columns:
        return f"{text};"
    made = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    text, count = ANSWER.subn(rf"\1 {made}, ", text, count=1)
    assert count == 1, text
    return f"{text} \\gset"


def _address() -> dict[str, Any]:
    wanted = {"host", "port", "user", "password", "dbname"}
    given = connection.get_connection_params()
    return {name: value for name, value in given.items() if name in wanted}
