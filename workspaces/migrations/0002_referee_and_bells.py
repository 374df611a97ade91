"""Rules that need two tables, and the bells that workspaces, jobs and agents ring.

`reconcile`: a cycle would decide differently. `pools`: a page is stale. `provisioner_jobs`: there
is work. `workspace_claimed` (payload: workspace id): a claim build succeeded, so the agent may
start again as the new owner. Heartbeats and logs ring nothing.
"""

from django.db import migrations

from accounts.system import PREBUILDS_USER_ID

LATEST_BUILD_IS_THE_WORKSPACES_OWN = """
ALTER TABLE workspaces_workspace
    ADD CONSTRAINT workspace_latest_build_is_its_own
    FOREIGN KEY (latest_build_id, id)
    REFERENCES workspaces_workspacebuild (id, workspace_id)
    DEFERRABLE INITIALLY DEFERRED;
"""
DROP_LATEST_BUILD_IS_THE_WORKSPACES_OWN = """
ALTER TABLE workspaces_workspace DROP CONSTRAINT workspace_latest_build_is_its_own;
"""

WORKSPACE_BELLS = f"""
CREATE TRIGGER workspace_added_rings AFTER INSERT ON workspaces_workspace
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('pools');
CREATE TRIGGER workspace_rings AFTER UPDATE ON workspaces_workspace
    FOR EACH ROW WHEN (
        (OLD.owner_id, OLD.deleted_at, OLD.latest_build_id)
        IS DISTINCT FROM (NEW.owner_id, NEW.deleted_at, NEW.latest_build_id)
    ) EXECUTE FUNCTION ring_bells('pools');
CREATE TRIGGER prebuild_gone_rings AFTER UPDATE ON workspaces_workspace
    FOR EACH ROW WHEN (
        OLD.owner_id = '{PREBUILDS_USER_ID}' AND OLD.deleted_at IS NULL
        AND (NEW.owner_id <> OLD.owner_id OR NEW.deleted_at IS NOT NULL)
    ) EXECUTE FUNCTION ring_bells('reconcile');
"""
DROP_WORKSPACE_BELLS = """
DROP TRIGGER prebuild_gone_rings ON workspaces_workspace;
DROP TRIGGER workspace_rings ON workspaces_workspace;
DROP TRIGGER workspace_added_rings ON workspaces_workspace;
"""

JOB_BELLS = f"""
CREATE TRIGGER job_added_rings AFTER INSERT ON workspaces_provisionerjob
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('provisioner_jobs', 'pools');
CREATE TRIGGER job_given_back_rings AFTER UPDATE ON workspaces_provisionerjob
    FOR EACH ROW WHEN (OLD.started_at IS NOT NULL AND NEW.started_at IS NULL)
    EXECUTE FUNCTION ring_bells('provisioner_jobs');
CREATE TRIGGER job_rings AFTER UPDATE ON workspaces_provisionerjob
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION ring_bells('pools');

CREATE FUNCTION ring_job_finished() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM workspaces_workspace
        WHERE id = NEW.workspace_id AND owner_id = '{PREBUILDS_USER_ID}'
    ) THEN
        PERFORM pg_notify('reconcile', '');
    END IF;
    IF NEW.status = 'succeeded' AND EXISTS (
        SELECT FROM workspaces_workspacebuild
        WHERE job_id = NEW.id AND stage = 'prebuild_claim'
    ) THEN
        PERFORM pg_notify('workspace_claimed', NEW.workspace_id::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER job_finished_rings AFTER UPDATE ON workspaces_provisionerjob
    FOR EACH ROW WHEN (OLD.completed_at IS NULL AND NEW.completed_at IS NOT NULL)
    EXECUTE FUNCTION ring_job_finished();
"""
DROP_JOB_BELLS = """
DROP TRIGGER job_finished_rings ON workspaces_provisionerjob;
DROP FUNCTION ring_job_finished();
DROP TRIGGER job_rings ON workspaces_provisionerjob;
DROP TRIGGER job_given_back_rings ON workspaces_provisionerjob;
DROP TRIGGER job_added_rings ON workspaces_provisionerjob;
"""

AGENT_BELLS = """
CREATE TRIGGER agent_added_rings AFTER INSERT ON workspaces_agent
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('pools');
CREATE TRIGGER agent_rings AFTER UPDATE ON workspaces_agent
    FOR EACH ROW WHEN (OLD.lifecycle_state IS DISTINCT FROM NEW.lifecycle_state)
    EXECUTE FUNCTION ring_bells('pools');
CREATE TRIGGER agent_ready_rings AFTER UPDATE ON workspaces_agent
    FOR EACH ROW WHEN (
        OLD.lifecycle_state <> NEW.lifecycle_state
        AND (OLD.lifecycle_state = 'ready' OR NEW.lifecycle_state = 'ready')
    ) EXECUTE FUNCTION ring_bells('reconcile');
"""
DROP_AGENT_BELLS = """
DROP TRIGGER agent_ready_rings ON workspaces_agent;
DROP TRIGGER agent_rings ON workspaces_agent;
DROP TRIGGER agent_added_rings ON workspaces_agent;
"""


class Migration(migrations.Migration):
    """Constraints and triggers."""

    dependencies = [
        ("workspaces", "0001_initial"),
        ("templates_app", "0002_referee_and_bells"),
    ]

    operations = [
        migrations.RunSQL(
            LATEST_BUILD_IS_THE_WORKSPACES_OWN, DROP_LATEST_BUILD_IS_THE_WORKSPACES_OWN
        ),
        migrations.RunSQL(WORKSPACE_BELLS, DROP_WORKSPACE_BELLS),
        migrations.RunSQL(JOB_BELLS, DROP_JOB_BELLS),
        migrations.RunSQL(AGENT_BELLS, DROP_AGENT_BELLS),
    ]
