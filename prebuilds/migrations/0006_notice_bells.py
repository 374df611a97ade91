"""A notice that opens, changes or closes makes the open pages stale."""

from django.db import migrations

BELLS = """
CREATE TRIGGER notice_rings AFTER INSERT OR UPDATE OR DELETE ON prebuilds_notice
    FOR EACH STATEMENT EXECUTE FUNCTION ring_bells('pools');
"""
DROP_BELLS = "DROP TRIGGER notice_rings ON prebuilds_notice;"


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("prebuilds", "0005_notices")]

    operations = [migrations.RunSQL(BELLS, DROP_BELLS)]
