-- Two roles for one database: one owns the tables and migrates, the other runs the product.
--
-- Run it in the product's database, as a superuser, before the first `manage.py migrate`, or at
-- any later time; to run it again does no harm:
--
--     psql --dbname=prebuilds --single-transaction --file=deploy/postgresql/roles.sql
--
-- Then give both a password (\password prebuilds_owner, \password prebuilds_app), and see
-- docs/operations.md, "Two database roles", for who uses which.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'prebuilds_owner') THEN
        CREATE ROLE prebuilds_owner LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'prebuilds_app') THEN
        CREATE ROLE prebuilds_app LOGIN;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO prebuilds_owner, prebuilds_app', current_database()
    );
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO prebuilds_owner;
GRANT USAGE ON SCHEMA public TO prebuilds_app;

-- What migrations make from now on, and what is there already.
ALTER DEFAULT PRIVILEGES FOR ROLE prebuilds_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO prebuilds_app;
ALTER DEFAULT PRIVILEGES FOR ROLE prebuilds_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO prebuilds_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO prebuilds_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO prebuilds_app;

-- The audit log is added to and read. The migration that protects it does the same for a database
-- in which the roles come first.
DO $$
BEGIN
    IF to_regclass('public.accounts_auditentry') IS NOT NULL THEN
        REVOKE ALL ON accounts_auditentry FROM prebuilds_app;
        GRANT SELECT, INSERT ON accounts_auditentry TO prebuilds_app;
    END IF;
END $$;
