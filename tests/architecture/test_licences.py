"""docs/licences.md says what is installed, all of it under licences we accept."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def licences():
    spec = importlib.util.spec_from_file_location("licences", ROOT / "requirements" / "licences.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["licences"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["licences"]


def test_the_page_is_what_make_licences_writes(licences):
    assert (ROOT / "docs" / "licences.md").read_text() == licences.document()


def test_every_licence_is_an_allowed_one(licences):
    parts = [*licences.python_parts(), *licences.vendored_parts()]

    assert len(parts) > 30
    assert [part for part in parts if not part.is_allowed] == []


def test_everything_vendored_is_listed(licences):
    names = {part.name.lower().split()[0] for part in licences.vendored_parts()}
    folders = {path.name for path in (ROOT / "static" / "vendor").iterdir() if path.is_dir()}

    assert folders <= names


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_one_of_those_offered_suffices_and_all_of_those_combined_count(licences, licence, allowed):
    part = licences.Part(name="x", version="1", licence=licence)

    assert part.is_allowed is allowed
