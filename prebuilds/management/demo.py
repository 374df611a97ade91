"""The demo's content: people, and templates that show every kind of pool.

One template does real work, one fails every time, one has a preset that cannot validate.
"""

from dataclasses import replace
from typing import Final

from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec

PASSWORD: Final = "prebuilds-demo"  # noqa: S105  printed on purpose: a demo
PEOPLE: Final[tuple[tuple[str, str, list[str]], ...]] = (
    ("admin", "Olga Owner", ["owner"]),
    ("tess", "Tess Templates", ["template-admin"]),
    ("ana", "Ana Member", []),
    ("ben", "Ben Member", []),
    ("cleo", "Cleo Member", []),
    ("dan", "Dan Member", []),
    ("eva", "Eva Member", []),
)

AGEING, SILENT = "One hour", "Silent"

PROGRAM: Final = '''"""Count words, most frequent first."""

from collections import Counter


def count_words(text: str) -> list[tuple[str, int]]:
    """Return (word, count) pairs; case and punctuation do not matter."""
    words = (word.strip(".,;:!?").lower() for word in text.split())
    return Counter(word for word in words if word).most_common()
'''

PROGRAM_TEST: Final = """import unittest

from words import count_words


class CountWords(unittest.TestCase):
    def test_counts_without_regard_to_case_and_punctuation(self):
        self.assertEqual(count_words("Warm, warm pool!"), [("warm", 2), ("pool", 1)])

    def test_of_nothing_there_is_nothing(self):
        self.assertEqual(count_words(""), [])


if __name__ == "__main__":
    unittest.main()
"""

WORKING_SCRIPT: Final = """set -eu
echo "Preparing $PARAMETER_PROJECT for $WORKSPACE_OWNER"
if [ ! -x .venv/bin/python ]; then
    echo "Making the virtual environment"
    python3 -m venv .venv
fi
cd project
if [ ! -d .git ]; then
    echo "Making the git repository"
    git init --quiet
    git add .
    git -c user.name=prebuilds -c user.email=prebuilds@example.invalid \\
        commit --quiet --message "Start of $PARAMETER_PROJECT"
fi
git config user.name "$WORKSPACE_OWNER"
git config user.email "$WORKSPACE_OWNER@example.invalid"
echo "Running the tests"
../.venv/bin/python -m unittest 2>&1
echo "Ready for $WORKSPACE_OWNER"
"""

FAILING_SCRIPT: Final = """echo "Pulling the base image"
sleep 1
echo "manifest for registry.example.invalid/base:nightly not found" >&2
exit 1
"""

WORKING: Final = VersionSpec(
    name="1.0.0",
    message="Two sizes: Small, and Large in business hours",
    source_files={"project/words.py": PROGRAM, "project/test_words.py": PROGRAM_TEST},
    startup_script=WORKING_SCRIPT,
    startup_timeout_seconds=300,
    definitions=(
        ParameterDefinition(
            name="project",
            type="string",
            default="words",
            validation_regex="^[a-z][a-z0-9-]*$",
            validation_error="{value} is not a project name: use lower-case letters and digits.",
        ),
        ParameterDefinition(
            name="size", type="string", default="small", options=("small", "large")
        ),
        ParameterDefinition(
            name="cpus", type="number", default="2", validation_min=1, validation_max=16
        ),
        ParameterDefinition(name="verbose", type="bool", default="false"),
    ),
    presets=(
        PresetSpec(
            name="Small",
            description="Two CPUs; enough for most changes.",
            is_default=True,
            parameters={"size": "small", "cpus": "2"},
            desired_instances=2,
        ),
        PresetSpec(
            name="Large",
            description="Eight CPUs; three are kept ready in business hours.",
            parameters={"size": "large", "cpus": "8"},
            desired_instances=1,
            ttl_seconds=24 * 3600,
            scheduling_timezone="Europe/Berlin",
            schedules=(("* 8-18 * * 1-5", 3),),
        ),
    ),
)

EARLIER: Final = replace(
    WORKING,
    name="0.9.0",
    message="First version. What happened before the demo was loaded is invented.",
    presets=(
        PresetSpec(
            name="Standard",
            is_default=True,
            parameters={"size": "small", "cpus": "2"},
            desired_instances=2,
        ),
    ),
)
"""What the Python project began with in the demo's past."""

FAILING: Final = VersionSpec(
    name="nightly",
    message="Its base image does not exist",
    startup_script=FAILING_SCRIPT,
    startup_timeout_seconds=60,
    presets=(PresetSpec(name="Nightly", desired_instances=1),),
)

INVALID: Final = VersionSpec(
    name="2.0.0",
    message="Region eu-old was closed",
    startup_script='echo "Ready in $PARAMETER_REGION"\n',
    definitions=(
        ParameterDefinition(
            name="region", type="string", required=True, options=("eu-west", "us-east")
        ),
    ),
    presets=(
        PresetSpec(name="Europe", parameters={"region": "eu-old"}, desired_instances=1),
        PresetSpec(name="America", parameters={"region": "us-east"}, desired_instances=None),
    ),
)

RELEASE_SCRIPT: Final = """echo "Checking out release $RELEASE"
sleep 2
echo "Ready for $WORKSPACE_OWNER"
"""


def release(number: int) -> VersionSpec:
    """Return a version of the template that `demo --play` moves along."""
    return VersionSpec(
        name=f"release-{number}",
        message=f"Release {number}",
        startup_script=RELEASE_SCRIPT.replace("$RELEASE", str(number)),
        presets=(PresetSpec(name="Standard", is_default=True, desired_instances=2),),
    )


COSTLY: Final = VersionSpec(
    name="1.0.0",
    message="Costs 8 a day",
    startup_script='echo "Ready"\n',
    daily_cost=8,
    presets=(PresetSpec(name="GPU", desired_instances=1),),
)

LAB: Final = VersionSpec(
    name="1.0.0",
    message="Two labs that go wrong in their own ways",
    startup_script='echo "Ready for $WORKSPACE_OWNER"\n',
    presets=(
        PresetSpec(
            name=AGEING,
            description="Always by schedule; none is older than an hour.",
            desired_instances=0,
            ttl_seconds=3600,
            schedules=(("* * * * *", 1),),
        ),
        PresetSpec(
            name=SILENT,
            description="Its agent starts over once, and is not heard of again.",
            desired_instances=1,
        ),
    ),
)

TEMPLATES: Final = (
    ("python-project", "Python project", "A virtual environment and a tested program.", WORKING),
    ("release-train", "Release train", "Moves on by itself while you watch.", release(1)),
    ("nightly-image", "Nightly image", "Fails on purpose: see how a broken pool looks.", FAILING),
    ("gpu-lab", "GPU lab", "Held: the prebuilds group has no quota for its cost.", COSTLY),
    ("teaching-lab", "Teaching lab", "One expires, one never becomes ready.", LAB),
    ("regional", "Regional lab", "One preset names a region that was closed.", INVALID),
)
