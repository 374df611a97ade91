"""Audit entries are never changed or removed, whoever asks."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
"""
CHANGEABLE = """
DROP TRIGGER audit_is_append_only ON accounts_auditentry;
DROP FUNCTION refuse_audit_change();
"""


class Migration(migrations.Migration):
    """One trigger."""

    dependencies = [("accounts", "0003_audit")]

    operations = [migrations.RunSQL(APPEND_ONLY, CHANGEABLE)]
