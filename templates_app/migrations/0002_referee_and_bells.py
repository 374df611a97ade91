"""Rules that need two tables or a trigger, and the bells that presets and templates ring.

A bell is a NOTIFY without payload: `reconcile` when a cycle would decide differently, `pools`
when a page that shows pools is stale. The same notification twice in one transaction is sent once.
"""

from django.db import migrations

ACTIVE_VERSION_IS_THE_TEMPLATES_OWN = """
ALTER TABLE templates_app_template
    ADD CONSTRAINT template_active_version_is_its_own
    FOREIGN KEY (active_version_id, id)
    REFERENCES templates_app_templateversion (id, template_id)
    DEFERRABLE INITIALLY DEFERRED;
"""
DROP_ACTIVE_VERSION_IS_THE_TEMPLATES_OWN = """
ALTER TABLE templates_app_template DROP CONSTRAINT template_active_version_is_its_own;
"""

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are immutable; make a new template version instead', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER template_version_is_immutable BEFORE UPDATE ON templates_app_templateversion
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER parameter_definition_is_immutable
    BEFORE UPDATE OR DELETE ON templates_app_parameterdefinition
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
DROP_REFUSE_CHANGE = """
DROP TRIGGER parameter_definition_is_immutable ON templates_app_parameterdefinition;
DROP TRIGGER template_version_is_immutable ON templates_app_templateversion;
DROP FUNCTION refuse_change();
"""

BELLS = """
CREATE FUNCTION ring_bells() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bell text;
BEGIN
    FOREACH bell IN ARRAY TG_ARGV LOOP
        PERFORM pg_notify(bell, '');
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER template_rings AFTER UPDATE ON templates_app_template
    FOR EACH ROW WHEN (
        (OLD.active_version_id, OLD.deleted_at, OLD.deprecation_message)
        IS DISTINCT FROM (NEW.active_version_id, NEW.deleted_at, NEW.deprecation_message)
    ) EXECUTE FUNCTION ring_bells('reconcile', 'pools');

CREATE TRIGGER preset_added_rings AFTER INSERT OR DELETE ON templates_app_preset
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('reconcile', 'pools');
CREATE TRIGGER preset_rings AFTER UPDATE ON templates_app_preset
    FOR EACH ROW WHEN (
        (OLD.desired_instances, OLD.ttl_seconds, OLD.scheduling_timezone,
         OLD.last_invalidated_at, OLD.failures_reset_at)
        IS DISTINCT FROM
        (NEW.desired_instances, NEW.ttl_seconds, NEW.scheduling_timezone,
         NEW.last_invalidated_at, NEW.failures_reset_at)
    ) EXECUTE FUNCTION ring_bells('reconcile', 'pools');
CREATE TRIGGER preset_status_rings AFTER UPDATE ON templates_app_preset
    FOR EACH ROW WHEN (OLD.prebuild_status IS DISTINCT FROM NEW.prebuild_status)
    EXECUTE FUNCTION ring_bells('pools');

CREATE TRIGGER preset_schedule_rings
    AFTER INSERT OR UPDATE OR DELETE ON templates_app_presetschedule
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('reconcile', 'pools');
CREATE TRIGGER preset_parameter_rings
    AFTER INSERT OR UPDATE OR DELETE ON templates_app_presetparameter
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('reconcile', 'pools');
"""
DROP_BELLS = """
DROP TRIGGER preset_parameter_rings ON templates_app_presetparameter;
DROP TRIGGER preset_schedule_rings ON templates_app_presetschedule;
DROP TRIGGER preset_status_rings ON templates_app_preset;
DROP TRIGGER preset_rings ON templates_app_preset;
DROP TRIGGER preset_added_rings ON templates_app_preset;
DROP TRIGGER template_rings ON templates_app_template;
DROP FUNCTION ring_bells();
"""


class Migration(migrations.Migration):
    """Constraints and triggers."""

    dependencies = [("templates_app", "0001_initial"), ("accounts", "0002_prebuilds_user")]

    operations = [
        migrations.RunSQL(
            ACTIVE_VERSION_IS_THE_TEMPLATES_OWN, DROP_ACTIVE_VERSION_IS_THE_TEMPLATES_OWN
        ),
        migrations.RunSQL(REFUSE_CHANGE, DROP_REFUSE_CHANGE),
        migrations.RunSQL(BELLS, DROP_BELLS),
    ]
