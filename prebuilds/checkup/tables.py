"""Are the tables those of this code, and do they ring."""

from collections.abc import Collection, Iterator
from typing import Final

from prebuilds.checkup.findings import Finding, Visit, bad, well
from prebuilds.checkup.statements import read_triggers
from prebuilds.schema_state import pending_migrations

TRIGGERS: Final = frozenset(
    {
        "agent_added_rings",
        "agent_ready_rings",
        "agent_rings",
        "audit_is_append_only",
        "audit_is_not_emptied",
        "first_build_enters_pool",
        "job_added_rings",
        "job_finished_rings",
        "job_given_back_rings",
        "job_released_rings",
        "job_rings",
        "notice_rings",
        "parameter_definition_is_immutable",
        "prebuild_gone_rings",
        "preset_added_rings",
        "preset_parameter_rings",
        "preset_rings",
        "preset_schedule_rings",
        "preset_status_rings",
        "preset_validation_cleared_rings",
        "settings_ring",
        "template_rings",
        "template_version_is_immutable",
        "workspace_added_rings",
        "workspace_leaves_pool",
        "workspace_rings",
    }
)
"""What migrations made; a test compares."""


def check_migrations(visit: Visit) -> Iterator[Finding]:
    """All migrations of this code are applied."""
    yield judge_migrations(pending_migrations())


def judge_migrations(pending: Collection[str]) -> Finding:
    """Name the first few that are missing."""
    if pending:
        some = ", ".join(list(pending)[:3]) + (", …" if len(pending) > 3 else "")
        return bad(f"not applied: {some}", "stop the services, then `manage.py migrate`")
    return well("all are applied")


def check_triggers(visit: Visit) -> Iterator[Finding]:
    """All triggers fire: they ring the bells and keep what must not change."""
    yield judge_triggers(read_triggers())


def judge_triggers(found: Collection[str]) -> Finding:
    """A dump that was restored without triggers works, slowly and unguarded."""
    if missing := sorted(TRIGGERS - set(found)):
        return bad(
            f"missing or disabled: {', '.join(missing)}",
            "ALTER TABLE … ENABLE TRIGGER, or restore the database with its triggers",
        )
    return well(f"all {len(TRIGGERS)} fire")
