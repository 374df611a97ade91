"""A preset whose failed validation was cleared may create again: ring the reconciler."""

from django.db import migrations

BELL = """
CREATE TRIGGER preset_validation_cleared_rings AFTER UPDATE ON templates_app_preset
    FOR EACH ROW WHEN (
        OLD.prebuild_status = 'validation_failed' AND NEW.prebuild_status = 'healthy'
    ) EXECUTE FUNCTION ring_bells('reconcile');
"""
NO_BELL = "DROP TRIGGER preset_validation_cleared_rings ON templates_app_preset;"


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("templates_app", "0002_referee_and_bells")]

    operations = [migrations.RunSQL(BELL, NO_BELL)]
