"""Pausing and resuming ring the bells; the first cycle after a resume starts at once."""

from django.db import migrations

BELLS = """
CREATE TRIGGER settings_ring AFTER INSERT OR UPDATE ON prebuilds_prebuildssettings
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('reconcile', 'pools');
"""
DROP_BELLS = "DROP TRIGGER settings_ring ON prebuilds_prebuildssettings;"


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [
        ("prebuilds", "0001_initial"),
        ("templates_app", "0002_referee_and_bells"),
    ]

    operations = [migrations.RunSQL(BELLS, DROP_BELLS)]
