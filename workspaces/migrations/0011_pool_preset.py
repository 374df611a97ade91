"""Whose pool a prebuild is in: in its own row, so that a pool is found without those beside it.

Triggers keep it true, whoever writes: the release before, which runs on while an upgrade lasts,
does not know the column. One that comes with it costs the first trigger a look.
"""

import django.db.models.deletion
from django.db import migrations, models

from accounts.system import PREBUILDS_USER_ID

ENTER_POOL = f"""
CREATE FUNCTION enter_pool() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE workspaces_workspace SET pool_preset_id = NEW.preset_id
     WHERE id = NEW.workspace_id AND pool_preset_id IS NULL
       AND owner_id = '{PREBUILDS_USER_ID}' AND deleted_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER first_build_enters_pool AFTER INSERT ON workspaces_workspacebuild
    FOR EACH ROW WHEN (
        NEW.build_number = 1 AND NEW.preset_id IS NOT NULL
        AND NEW.initiator_id = '{PREBUILDS_USER_ID}'
    ) EXECUTE FUNCTION enter_pool();
"""
DROP_ENTER_POOL = """
DROP TRIGGER first_build_enters_pool ON workspaces_workspacebuild;
DROP FUNCTION enter_pool();
"""
LEAVE_POOL = f"""
CREATE FUNCTION leave_pool() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.pool_preset_id := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER workspace_leaves_pool BEFORE UPDATE ON workspaces_workspace
    FOR EACH ROW WHEN (
        NEW.pool_preset_id IS NOT NULL
        AND (NEW.owner_id <> '{PREBUILDS_USER_ID}' OR NEW.deleted_at IS NOT NULL)
    ) EXECUTE FUNCTION leave_pool();
"""
DROP_LEAVE_POOL = """
DROP TRIGGER workspace_leaves_pool ON workspaces_workspace;
DROP FUNCTION leave_pool();
"""


class Migration(migrations.Migration):
    """A column, empty so far, and what keeps it."""

    dependencies = [
        ("templates_app", "0003_cleared_validation_rings"),
        ("workspaces", "0010_traceparent"),
    ]

    operations = [
        migrations.AddField(
            model_name="workspace",
            name="pool_preset",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="templates_app.preset",
            ),
        ),
        migrations.RunSQL(ENTER_POOL, DROP_ENTER_POOL),
        migrations.RunSQL(LEAVE_POOL, DROP_LEAVE_POOL),
    ]
