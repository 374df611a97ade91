"""manage.py prebuilds: what it prints, what it changes, and its exit codes (semantics.md 19)."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.management.commands.prebuilds import Command
from prebuilds.models import Notice, PrebuildsSettings, Trigger
from templates_app import services as template_services
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
        command.run_from_argv(["manage.py", "prebuilds", *arguments])
    except SystemExit as ended:
        return ended.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def run_cycle():
    return reconciler.run_cycle(
        trigger=Trigger.COMMAND, policy=current_policy(), clock=timezone.now
    )


@pytest.fixture
def preset():
    return factories.preset_of(factories.make_template("tool"))


def entries():
    return list(AuditEntry.objects.order_by("pk").values_list("action", "source", "actor"))


class TestStatus:
    def test_it_shows_each_pool_with_its_health_numbers_and_id(self, preset):
        factories.make_ready_prebuilds(preset, 2)

        code, out, err = run("status")

        assert (code, err) == (0, "")
        assert out == (
            "Running; no cycle has run yet.\n"
            "tool / Small: healthy. 2 ready; the next person gets one at once.\n"
            "  desired 2, ready 2, starting 0, expired 0, deleting 0"
            f"  (preset {preset.pk})\n"
        )

    def test_it_says_how_old_the_last_cycle_is(self, preset):
        run_cycle()

        first = run("status")[1].splitlines()[0]

        assert first in {f"Running; the last cycle was {age} s ago." for age in range(30)}

    def test_it_says_why_a_pool_is_not_full_in_plain_words(self, preset):
        template_services.mark_validation_failed(
            preset_id=preset.pk, reason="region: no such value", now=timezone.now()
        )

        _, out, _ = run("status")

        assert "tool / Small: validation failed. region: no such value\n" in out

    def test_it_says_that_reconciliation_is_paused(self, preset):
        factories.pause()

        _, out, _ = run("status")

        assert out.startswith("Paused; no cycle has run yet.\n")
        assert "tool / Small: paused." in out

    def test_without_pools_it_says_whether_cycles_run(self):
        assert run("status") == (0, "Running; no cycle has run yet.\n", "")

    def test_as_json_it_says_the_same_to_machines(self, preset):
        factories.make_ready_prebuilds(preset, 1)

        code, out, err = run("status", "--json")

        said = json.loads(out)
        (pool,) = said["pools"]
        assert (code, err) == (0, "")
        assert set(said) == {"pools", "as_of", "pause", "paused", "notices"}
        assert said["paused"] is False
        assert pool["preset_id"] == str(preset.pk)
        assert (pool["template_name"], pool["preset_name"]) == ("tool", "Small")
        assert (pool["desired"], pool["ready"], pool["health"]) == (2, 1, "filling")
        assert set(pool) >= {"starting", "stopping", "deleting", "expired", "reason", "next_at"}

    def test_it_prints_what_is_the_matter_and_what_it_costs(self, preset):
        notice = Notice.objects.create(
            kind="hard_limited",
            preset=preset,
            organization=preset.version.template.organization,
            detail="no such image",
            opened_at=timezone.now() - timedelta(minutes=30),
        )
        factories.claims.claim_or_create_workspace(
            owner=factories.make_user(),
            template=preset.version.template,
            preset_id=preset.pk,
            name="mine",
            parameters={},
            now=timezone.now() - timedelta(minutes=10),
        )
        Notice.objects.create(
            kind="quota_warning",
            organization=notice.organization,
            detail="8 of 10",
            opened_at=timezone.now() - timedelta(hours=2, minutes=1),
        )

        _, out, _ = run("status")
        said = json.loads(run("status", "--json")[1])

        assert out.splitlines()[1:3] == [
            "NOTICE tool / Small: hard limited, for 30 min, 1 cold start. no such image",
            "NOTICE default: quota warning, for 2 h 1 min. 8 of 10",
        ]
        assert [one["kind"] for one in said["notices"]] == ["hard_limited", "quota_warning"]
        assert said["notices"][0]["cold_starts"] == 1

    def test_what_is_over_is_not_printed(self, preset):
        now = timezone.now()
        Notice.objects.create(
            kind="hard_limited",
            preset=preset,
            organization=preset.version.template.organization,
            detail="no such image",
            opened_at=now,
            closed_at=now,
            cold_starts=0,
        )

        assert "NOTICE" not in run("status")[1]

    def test_it_changes_nothing(self, preset):
        run("status")

        assert not Workspace.objects.exists()
        assert entries() == []


class TestPause:
    def test_it_stops_the_cycle_and_leaves_who_and_why(self, preset):
        assert run("pause", "--reason", "upgrade") == (0, "Paused.\n", "")

        row = PrebuildsSettings.objects.get()
        assert (row.pause_reason, row.paused_until, row.paused_by) == ("upgrade", None, None)
        assert run_cycle().paused
        assert not Workspace.objects.exists()
        assert entries() == [("pause", "command", None)]

    @pytest.mark.parametrize(
        ("text", "seconds"), [("2h", 7200), ("90s", 90), ("5m", 300), ("1d", 86400), ("45", 45)]
    )
    def test_it_ends_by_itself_when_told(self, text, seconds):
        before = timezone.now()

        assert run("pause", "--reason", "upgrade", "--for", text)[0] == 0

        span = timedelta(seconds=seconds)
        until = PrebuildsSettings.objects.get().paused_until
        assert before + span <= until <= timezone.now() + span

    def test_a_second_time_it_says_that_reason_and_end_are_new(self):
        run("pause", "--reason", "first")

        code, out, _ = run("pause", "--reason", "second")

        assert (code, out) == (0, "It was paused already; reason and end are new.\n")
        assert PrebuildsSettings.objects.get().pause_reason == "second"

    def test_without_a_reason_it_is_bad_usage(self, capsys):
        code, _, _ = run("pause")

        assert code == 2
        assert "--reason" in capsys.readouterr().err
        assert not PrebuildsSettings.objects.exists()

    @pytest.mark.parametrize("text", ["soon", "", "-5m", "1.5h", "2 hours", "1h30m"])
    def test_a_bad_duration_is_bad_usage_and_says_how_to_write_one(self, text, capsys):
        code, _, _ = run("pause", "--reason", "upgrade", f"--for={text}")

        assert code == 2
        said = capsys.readouterr().err
        assert "--for: use a duration such as 90s, 5m, 1h, 2d, or plain seconds" in said
        assert not PrebuildsSettings.objects.exists()

    def test_a_pause_of_no_length_is_never_a_pause_for_ever(self):
        run("pause", "--reason", "upgrade", "--for", "0")

        row = PrebuildsSettings.objects.first()
        assert row is None or row.paused_until is not None

    def test_an_end_beyond_the_calendar_is_bad_usage(self, capsys):
        code, _, _ = run("pause", "--reason", "upgrade", "--for", "999999999d")

        assert code == 2
        assert not PrebuildsSettings.objects.exists()

    @pytest.mark.parametrize("text", ["", "  "])
    def test_an_empty_reason_is_none(self, text, capsys):
        assert run("pause", f"--reason={text}")[0] == 2


class TestResume:
    def test_it_ends_the_pause(self, preset):
        run("pause", "--reason", "upgrade")

        assert run("resume") == (0, "Resumed.\n", "")

        assert not run_cycle().paused
        assert [action for action, *_ in entries()] == ["pause", "resume"]

    def test_when_nothing_was_paused_it_says_so_and_writes_nothing(self):
        assert run("resume") == (0, "It was not paused.\n", "")
        assert entries() == []


class TestInvalidate:
    def test_a_preset_is_stamped_and_the_next_cycle_replaces_its_prebuilds(self, preset):
        (old,) = factories.make_ready_prebuilds(preset, 1)

        code, out, _ = run("invalidate", "--preset", str(preset.pk))

        assert code == 0
        assert out == "Presets invalidated: 1. The next cycle replaces their prebuilds.\n"
        (executed,) = run_cycle().executed
        assert {
            "action": "delete",
            "reason": "invalidated",
            "workspace_id": str(old.pk),
            "result": "deleting",
        } in executed.outcome.entries
        assert entries() == [("invalidate", "command", None)]

    def test_a_template_means_all_presets_of_its_active_version(self):
        specs = (PresetSpec(name="Small", desired_instances=1), PresetSpec(name="Large"))
        template = factories.make_template("tool", presets=specs)
        old = factories.preset_of(template)
        factories.promote_new_version(template, presets=specs)

        code, out, _ = run("invalidate", "--template", "TOOL")

        assert code == 0
        assert out.startswith("Presets invalidated: 2.")
        stamped = Preset.objects.filter(last_invalidated_at__isnull=False)
        assert set(stamped.values_list("name", flat=True)) == {"Small", "Large"}
        assert old not in stamped

    def test_templates_of_one_name_in_two_organizations_are_all_meant(self, preset):
        factories.make_template("tool", organization=factories.make_organization())

        assert run("invalidate", "--template", "tool")[1].startswith("Presets invalidated: 2.")

    def test_a_deleted_template_is_not_meant(self, preset):
        template = preset.version.template
        template.deleted_at = timezone.now()
        template.save()

        assert run("invalidate", "--template", "tool")[0] == 1

    def test_an_unknown_preset_is_exit_code_1_with_the_way_to_find_one(self, preset):
        unknown = uuid4()

        code, out, err = run("invalidate", "--preset", str(unknown))

        assert (code, out) == (1, "")
        assert f"There is no preset {unknown}; `prebuilds status` lists them." in err
        assert entries() == []

    def test_an_unknown_template_is_exit_code_1_and_named(self, preset):
        code, out, err = run("invalidate", "--template", "typo")

        assert (code, out) == (1, "")
        assert err == 'CommandError: There is no template "typo".\n'
        assert entries() == []


class TestRetry:
    def test_it_forgets_the_failures_and_the_next_cycle_tries_again(self, preset):
        factories.make_pending_prebuilds(preset, 1)
        factories.finish_all_jobs(fail="bad")
        assert run_cycle().total("created") == 0

        code, out, err = run("retry", "--preset", str(preset.pk))

        assert (code, err) == (0, "")
        assert out == f"{preset}: its failures are forgotten; the next cycle tries again.\n"
        assert run_cycle().total("created") == 2
        assert entries() == [("retry", "command", None)]

    def test_an_unknown_preset_is_exit_code_1(self):
        unknown = uuid4()

        code, _, err = run("retry", "--preset", str(unknown))

        assert code == 1
        assert f"There is no preset {unknown}" in err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("status", "--nonsense"),
        ("invalidate",),
        ("invalidate", "--preset", "not-a-uuid"),
        ("invalidate", "--template", "tool", "--preset", "00000000-0000-0000-0000-000000000000"),
        ("retry",),
        ("retry", "--preset", "Small"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_exit_code_2_and_does_nothing(preset, arguments, capsys):
    before = Preset.objects.values().get()

    code, out, _ = run(*arguments)

    assert (code, out) == (2, "")
    assert Preset.objects.values().get() == before
    assert entries() == []
