"""Who may say that a machine is gone: who may revoke the keys of all whose daemons came from it."""

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from workspaces.machines import serving_organizations


def may_forget(viewer: User, machine: str) -> bool:
    """Return whether the person may; a daemon that served everybody needs a role on the site."""
    homes = serving_organizations(machine)
    subject = subject_of(viewer)
    return bool(homes) and all(
        subject.can(Action.DELETE, Resource.PROVISIONER, organization_id=home) for home in homes
    )
