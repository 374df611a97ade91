"""Create the default organization and the prebuilds user, a member of it (semantics.md 1)."""

from django.apps.registry import Apps
from django.contrib.auth.hashers import make_password
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from accounts.system import PREBUILDS_USER_ID, PREBUILDS_USERNAME


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Insert what is missing."""
    organization, _ = apps.get_model("accounts", "Organization").objects.get_or_create(
        is_default=True, defaults={"name": "default", "display_name": "Default"}
    )
    user, _ = apps.get_model("accounts", "User").objects.get_or_create(
        id=PREBUILDS_USER_ID,
        defaults={
            "username": PREBUILDS_USERNAME,
            "name": "Prebuilds",
            "is_system": True,
            "is_active": False,
            "password": make_password(None),
        },
    )
    apps.get_model("accounts", "Membership").objects.get_or_create(
        organization=organization, user=user
    )


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Delete the user with its memberships; an organization that others use stays."""
    apps.get_model("accounts", "GroupMembership").objects.filter(user=PREBUILDS_USER_ID).delete()
    apps.get_model("accounts", "Membership").objects.filter(user=PREBUILDS_USER_ID).delete()
    apps.get_model("accounts", "User").objects.filter(id=PREBUILDS_USER_ID).delete()


class Migration(migrations.Migration):
    """Data only."""

    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunPython(create, remove)]
