"""Lines of the log: parsable, with the ids of the work they belong to, without secrets."""

import contextvars
import json
import logging
import re
import threading
from logging.config import dictConfig
from uuid import UUID

import pytest

from config.logs import ConsoleFormatter, JsonFormatter, logging_settings
from tests.recording import recording
from workspaces import tracing

__all__ = ["recording"]

NIL = UUID(int=0)


def record(message="something happened", *args, error=None, **fields):
    exc_info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("prebuilds.tests", logging.INFO, __file__, 1, message, args, exc_info)
    made.created, made.msecs = 1_700_000_000.5, 500
    vars(made).update(fields)
    return made


def as_json(*words, **fields):
    line = JsonFormatter().format(record(*words, **fields))
    assert "\n" not in line
    return json.loads(line)


def on_console(*words, **fields):
    return ConsoleFormatter().format(record(*words, **fields))


def test_a_line_is_one_object_with_its_fields_beside_the_fixed_words():
    assert as_json(preset="Small", count=3, seconds=0.5, workspace_id=NIL, nothing=None) == {
        "time": "2023-11-14T22:13:20.500Z",
        "level": "INFO",
        "logger": "prebuilds.tests",
        "message": "something happened",
        "preset": "Small",
        "count": 3,
        "seconds": 0.5,
        "workspace_id": str(NIL),
        "nothing": None,
    }


def test_people_read_the_same_on_one_line():
    line = on_console("took %d", 3, preset="Small")

    assert re.fullmatch(r"22:13:20,500 INFO    prebuilds.tests: took 3 preset=Small", line)


@pytest.mark.parametrize("text", ["two\nlines", 'quo"te', "\x00\x1b[31m", "\ud800", "ü€"])
def test_hostile_words_stay_inside_their_value(text):
    assert as_json("got %s", text, reason=text)["reason"] == text


def test_an_exception_is_text_in_a_field_of_its_own():
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        line = as_json(error=error)

    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("RuntimeError: broken")


@pytest.mark.parametrize("write", [lambda *a, **b: json.dumps(as_json(*a, **b)), on_console])
@pytest.mark.parametrize(
    "told",
    [
        {"reason": "cannot reach postgresql://u:hunter2@db/x"},
        {"password": "hunter2"},
        {"headers": {"Authorization": "hunter2", "Accept": "*/*"}},
        {"tried": ["--token='hunter2 hunter2'"]},
        {"error": RuntimeError("api_key=hunter2")},
        {"failed": RuntimeError("api_key=hunter2")},
    ],
    ids=["address", "name", "header", "argument", "exception", "object"],
)
def test_a_secret_is_hidden_wherever_it_stands(write, told):
    line = write("went wrong", **told)

    assert "hunter2" not in line
    assert "(hidden)" in line


def test_a_secret_in_the_words_is_hidden_too():
    assert as_json("sent %s", "Bearer hunter2hunter2")["message"] == "sent Bearer (hidden)"


def test_what_is_bound_is_on_every_line_until_the_work_ends():
    with tracing.bind(request_id="abc"), tracing.bind(run_id=7):
        inside, own = as_json(), as_json(run_id=8)
    outside = as_json()

    assert (inside["request_id"], inside["run_id"]) == ("abc", 7)
    assert own["run_id"] == 8
    assert not {"request_id", "run_id"} & outside.keys()


def test_a_thread_has_the_ids_of_the_work_that_was_handed_to_it():
    seen = []
    with tracing.bind(run_id=7):
        context = contextvars.copy_context()
        handed = threading.Thread(target=context.run, args=(lambda: seen.append(as_json()),))
        stranger = threading.Thread(target=lambda: seen.append(as_json()))
        for thread in (handed, stranger):
            thread.start()
            thread.join(10)

    assert [line.get("run_id") for line in seen] == [7, None]


def test_a_line_names_the_span_it_was_written_in(recording):
    with tracing.span("work"):
        line = as_json()

    context = recording.one("work").context
    assert int(line["trace_id"], 16) == context.trace_id
    assert int(line["span_id"], 16) == context.span_id


@pytest.fixture
def _as_it_was():
    """Bring back the handlers that the test's own configuration takes away."""
    loggers = [
        logging.getLogger(name)
        for name in ("", *logging_settings(level="INFO", style="")["loggers"])
    ]
    kept = [(one, one.level, one.propagate, list(one.handlers)) for one in loggers]
    yield
    for one, level, propagate, handlers in kept:
        one.setLevel(level)
        one.propagate, one.handlers[:] = propagate, handlers


@pytest.mark.usefixtures("_as_it_was")
@pytest.mark.parametrize(
    "name", ["prebuilds.reconciler", "django.request", "uvicorn.error", "django-q", "some.library"]
)
def test_every_librarys_lines_go_the_same_way(name, capsys):
    dictConfig(logging_settings(level="INFO", style="JSON"))

    logging.getLogger(name).warning("said %s", name)

    assert json.loads(capsys.readouterr().err)["message"] == f"said {name}"


@pytest.mark.usefixtures("_as_it_was")
def test_the_access_log_stays_off_however_uvicorn_is_started():
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler())

    dictConfig(logging_settings(level="INFO", style="JSON"))

    assert not logging.getLogger("uvicorn.access").hasHandlers()
