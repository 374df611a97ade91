"""What the lifecycle task looks for: an index per rule, and deadlines of latest builds only."""

import uuid
from django.conf import settings
from django.db import migrations, models

FORGET_PAST_DEADLINES = """
UPDATE workspaces_workspacebuild AS build
   SET deadline = NULL
 WHERE build.deadline IS NOT NULL
   AND NOT EXISTS (
       SELECT FROM workspaces_workspace AS workspace WHERE workspace.latest_build_id = build.id);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_audit_is_append_only"),
        ("templates_app", "0003_cleared_validation_rings"),
        ("workspaces", "0004_replaced_resources"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True), ("next_start_at__isnull", False)),
                fields=["next_start_at"],
                name="workspace_next_starts",
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", True), ("deleting_at__isnull", False)),
                fields=["deleting_at"],
                name="workspace_deletions",
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                condition=models.Q(
                    ("deleted_at__isnull", True),
                    models.Q(("dormant_at__isnull", True), _negated=True),
                    ("deleting_at__isnull", True),
                ),
                fields=["template"],
                name="workspace_dormant_undated",
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(
                condition=models.Q(
                    ("deleted_at__isnull", True),
                    ("dormant_at__isnull", True),
                    models.Q(
                        ("owner_id", uuid.UUID("c42fdf75-3097-471c-8c33-fb52454d81c0")),
                        _negated=True,
                    ),
                ),
                fields=["template", "last_used_at"],
                name="workspace_last_uses",
            ),
        ),
        migrations.AddIndex(
            model_name="workspacebuild",
            index=models.Index(
                condition=models.Q(("deadline__isnull", False)),
                fields=["deadline"],
                name="build_deadlines",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("next_start_at__isnull", True),
                    models.Q(("autostart_schedule", ""), _negated=True),
                    _connector="OR",
                ),
                name="workspace_start_planned_by_schedule",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspace",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("dormant_at__isnull", True), _negated=True),
                    ("deleting_at__isnull", True),
                    _connector="OR",
                ),
                name="workspace_undated_while_awake",
            ),
        ),
        migrations.RunSQL(FORGET_PAST_DEADLINES, migrations.RunSQL.noop),
    ]
