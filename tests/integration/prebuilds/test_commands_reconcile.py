"""manage.py reconcile: what it prints, and its exit codes (semantics.md 11)."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.system import PREBUILDS_USER_ID
from prebuilds import execution, locks
from prebuilds.management.commands.reconcile import Command
from prebuilds.models import ReconcileRun
from templates_app.models import Preset
from templates_app.services import PresetSpec
from tests import factories
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def run(*arguments):
    """Run the command as a shell would; return its exit code, output and errors."""
    out, err = StringIO(), StringIO()
    command = Command(stdout=out, stderr=err, no_color=True)
    try:
        command.run_from_argv(["manage.py", "reconcile", "--skip-checks", *arguments])
    except SystemExit as ended:
        return ended.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def preset():
    return factories.preset_of(factories.make_template("tool"))


def live():
    return Workspace.objects.filter(owner_id=PREBUILDS_USER_ID, deleted_at__isnull=True)


def test_one_cycle_by_hand_says_what_it_did(preset):
    assert run() == (0, "1 preset: created 2, deleted 0, cancelled 0, held 0, failed 0\n", "")
    assert live().count() == 2
    assert ReconcileRun.objects.get().trigger == "command"


def test_as_json_it_says_the_same_to_machines(preset):
    code, out, err = run("--json")

    said = json.loads(out)
    (one,) = said.pop("presets")
    assert (code, err) == (0, "")
    assert said == {
        "lock_acquired": True,
        "paused": False,
        "presets_total": 1,
        "presets_failed": 0,
        "skipped_organizations": {},
        "created": 2,
        "deleted": 0,
        "cancelled": 0,
        "held": 0,
    }
    assert one["preset_id"] == str(preset.pk)
    assert (one["preset"], one["template"], one["error"]) == ("Small", "tool", "")
    assert one["actions"] == [{"action": "create", "reason": "missing", "count": 2, "wanted": 2}]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_lock_held_elsewhere_is_success_and_said(preset, arguments):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.RECONCILE_LOCK_KEY])
        code, out, _ = run_beside(arguments)

    assert code == 0
    assert "Another reconciler is at it" in out or json.loads(out)["lock_acquired"] is False
    assert live().count() == 0


def run_beside(arguments):
    """Run the command in a thread: it closes its thread's connections when it ends."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run, *arguments).result(timeout=20)


def test_a_pause_is_said(preset):
    factories.pause(now=timezone.now())

    code, out, _ = run()

    assert (code, out) == (0, "Reconciliation is paused; nothing was done.\n")


def test_a_preset_that_failed_is_exit_code_1_and_named(preset, monkeypatch):
    def execute(decision, **options):
        raise RuntimeError("poisoned")

    monkeypatch.setattr(execution, "execute_decision", execute)
    code, out, err = run()

    assert code == 1
    assert "failed 1" in out
    assert err == "tool / Small: RuntimeError: poisoned\n"


def test_a_dry_run_prints_the_plan_and_changes_nothing(preset):
    code, out, err = run("--dry-run")

    assert (code, err) == (0, "")
    assert out == (
        "tool / Small (1.0.0): desired 2, ready 0, running 0, starting 0\n  + create 2  missing 2\n"
    )
    assert not Workspace.objects.exists()
    assert not ReconcileRun.objects.exists()


def test_a_dry_run_of_a_filled_pool_has_nothing_to_do_however_often(preset):
    run()
    factories.finish_all_jobs()
    for workspace in live():
        factories.make_agent_ready(workspace)

    answers = {run("--dry-run") for _ in range(8)}

    assert answers == {(0, "Nothing to do: 1 pool looked at.\n", "")}
    assert live().count() == 2


def test_a_dry_run_shows_every_kind_of_action(preset):
    factories.make_ready_prebuilds(preset, 2)
    Preset.objects.update(
        desired_instances=0,
        last_invalidated_at=timezone.now() + timedelta(hours=1),
    )
    doomed = sorted(one.name for one in live())

    _, out, _ = run("--dry-run")

    assert sorted(line.split()[2] for line in out.splitlines()[1:]) == doomed
    assert out.count("invalidated") == 2


def test_a_dry_run_says_what_is_held_and_until_when(preset):
    factories.make_pending_prebuilds(preset, 1)
    factories.finish_all_jobs(fail="bad")

    _, out, _ = run("--dry-run")

    assert "‖ held 2  backing off until " in out


def test_a_dry_run_as_json_is_stable(preset):
    code, out, _ = run("--dry-run", "--json")

    (planned,) = json.loads(out)
    assert code == 0
    assert planned["preset_id"] == str(preset.pk)
    assert (planned["preset"], planned["template"], planned["version"]) == (
        "Small",
        "tool",
        "1.0.0",
    )
    assert (planned["organization"], planned["active"]) == ("default", True)
    assert planned["actions"] == [{"action": "create", "reason": "missing", "count": 2}]
    assert set(planned["state"]) >= {"actual", "desired", "eligible", "expired", "extraneous"}


class TestNarrowed:
    @pytest.fixture
    def other(self):
        spec = PresetSpec(name="Other", desired_instances=1)
        return factories.preset_of(factories.make_template("other", presets=(spec,)), "Other")

    @pytest.mark.parametrize("by", ["template", "preset"])
    def test_only_what_was_named_is_touched(self, preset, other, by):
        value = {"template": "other", "preset": str(other.pk)}[by]

        code, _, _ = run(f"--{by}", value)

        assert code == 0
        assert {one.template_id for one in live()} == {other.version.template_id}

    @pytest.mark.parametrize("by", ["template", "preset"])
    def test_only_what_was_named_is_planned(self, preset, other, by):
        value = {"template": "other", "preset": str(other.pk)}[by]

        _, out, _ = run("--dry-run", f"--{by}", value)

        assert "other / Other" in out
        assert "tool" not in out

    @pytest.mark.parametrize("mode", [(), ("--dry-run",)])
    @pytest.mark.parametrize(
        "filter_",
        [("--template", "typo"), ("--preset", "00000000-0000-0000-0000-000000000000")],
    )
    def test_a_filter_that_matches_nothing_is_bad_usage(self, preset, mode, filter_):
        code, _, err = run(*mode, *filter_)

        assert code == 2
        assert "No preset" in err
        assert live().count() == 0

    def test_a_filter_that_matches_an_old_and_empty_preset_is_not(self, preset):
        factories.promote_new_version(preset.version.template, presets=())

        assert run("--dry-run", "--preset", str(preset.pk))[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nonsense",),
        ("--preset", "not-a-uuid"),
        ("--interval", "0"),
        ("--interval", "-1"),
        ("--interval", "nan"),
        ("--interval", "inf"),
        ("--interval", "soon"),
        ("--loop", "--dry-run"),
        ("--loop", "--template", "tool"),
        ("--loop", "--preset", "00000000-0000-0000-0000-000000000000"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_exit_code_2_and_does_nothing(preset, arguments, capsys):
    code, _, _ = run(*arguments)

    assert code == 2
    assert live().count() == 0


def test_a_plan_names_what_it_deletes_and_since_when_it_expired():
    preset = factories.preset_of(
        factories.make_template(
            presets=(PresetSpec(name="Small", desired_instances=1, ttl_seconds=3600),)
        )
    )
    now = timezone.now()
    (old,) = factories.make_ready_prebuilds(preset, 1, now=now - timedelta(hours=2))

    _, printed, _ = run("--dry-run")

    assert f"- delete {old.name}  expired 1 h" in printed
    assert "+ create 1  missing 1" in printed
