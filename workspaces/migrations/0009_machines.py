"""The machine of daemons and jobs, and of a workspace by its newest job that has one.

A waiting job that is released from its machine rings.

What there is already is bound to none, as before. The release before leaves the columns alone.
"""

from django.db import migrations, models

WHERE = """
CREATE FUNCTION machine_of_workspace(workspace uuid, besides uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT job.machine
          FROM workspaces_workspacebuild AS build
          JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
         WHERE build.workspace_id = workspace AND job.machine <> ''
           AND job.id IS DISTINCT FROM besides
         ORDER BY build.build_number DESC
         LIMIT 1), '');
END $$;
"""
DROP_WHERE = "DROP FUNCTION machine_of_workspace(uuid, uuid);"

BELL = """
CREATE TRIGGER job_released_rings AFTER UPDATE ON workspaces_provisionerjob
    FOR EACH ROW WHEN (
        OLD.machine <> '' AND NEW.machine = ''
        AND NEW.started_at IS NULL AND NEW.completed_at IS NULL
    ) EXECUTE FUNCTION ring_bells('provisioner_jobs');
"""
DROP_BELL = "DROP TRIGGER job_released_rings ON workspaces_provisionerjob;"


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0008_ended_lately")]

    operations = [
        migrations.AddField(
            model_name="provisionerdaemon",
            name="machine",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="provisionerjob",
            name="machine",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.RunSQL(WHERE, DROP_WHERE),
        migrations.RunSQL(BELL, DROP_BELL),
    ]
