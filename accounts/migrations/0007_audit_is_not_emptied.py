"""Audit entries are never emptied out at once either: a row trigger does not see TRUNCATE.

Who was granted more than to add and to read, such as the role the product runs as, keeps these two
(docs/operations.md, "Two database roles"). The owner of the table keeps all: they migrate.
"""

from django.db import migrations

NOT_EMPTIED = """
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON accounts_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
DO $$
DECLARE
    granted name;
BEGIN
    FOR granted IN
        SELECT DISTINCT rolname
          FROM pg_class, LATERAL aclexplode(relacl) AS entry
          JOIN pg_roles ON pg_roles.oid = entry.grantee
         WHERE pg_class.oid = 'accounts_auditentry'::regclass AND entry.grantee <> relowner
    LOOP
        EXECUTE format(
            'REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON accounts_auditentry FROM %I',
            granted
        );
    END LOOP;
END $$;
"""
EMPTIED = "DROP TRIGGER audit_is_not_emptied ON accounts_auditentry;"


class Migration(migrations.Migration):
    """One trigger, fewer grants."""

    dependencies = [("accounts", "0006_sign_in_tries")]

    operations = [migrations.RunSQL(NOT_EMPTIED, EMPTIED)]
