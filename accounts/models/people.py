"""Users, organizations, memberships and groups.

The database refuses what must not be: two live names that differ in case, a second default
organization, a system user with roles or a password.
"""

from typing import Any, ClassVar, Self
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property

from accounts.enums import OrganizationRole, SiteRole
from accounts.system import PREBUILDS_USER_ID


class UserQuerySet(models.QuerySet["User"]):
    """Questions about users."""

    def people(self) -> Self:
        """Return users that are not system users."""
        return self.filter(is_system=False)


class UserManager(BaseUserManager["User"]):
    """All users, the system user included."""

    def get_queryset(self) -> UserQuerySet:
        """Return every user."""
        return UserQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user who signs in with this name; the case does not matter."""
        return self.get_queryset().get(username__iexact=username)

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Create a person; no password means they cannot sign in with one."""
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Create a person with the site role owner (for `manage.py createsuperuser`)."""
        return self.create_user(username, password, roles=[SiteRole.OWNER], **fields)


class PeopleManager(UserManager):
    """People only: the system user is hidden by default (semantics.md 1)."""

    def get_queryset(self) -> UserQuerySet:
        """Return every user but system users."""
        return super().get_queryset().people()


class User(AbstractBaseUser):
    """A person, or the one system user that owns unclaimed prebuilds.

    `objects` hides system users; `with_system` shows everybody.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    username = models.CharField(max_length=64)
    email = models.EmailField(blank=True)
    name = models.CharField(max_length=128, blank=True, help_text="The name shown to others.")
    roles = ArrayField(
        models.CharField(max_length=32, choices=SiteRole.choices),
        default=list,
        blank=True,
        help_text="Site-wide roles. Without any, the user is a plain member.",
    )
    is_active = models.BooleanField(default=True, help_text="Off: cannot sign in.")
    is_system = models.BooleanField(default=False, editable=False)
    signed_out_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Sessions from before have ended."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PeopleManager()
    with_system: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        base_manager_name = "with_system"
        ordering = ("username",)
        constraints = (
            models.UniqueConstraint(Lower("username"), name="user_username_unique"),
            models.UniqueConstraint(
                Lower("email"), condition=~models.Q(email=""), name="user_email_unique"
            ),
            models.CheckConstraint(
                name="user_username_form",
                condition=models.Q(username__regex=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
            ),
            models.CheckConstraint(
                name="user_roles_known", condition=models.Q(roles__contained_by=SiteRole.values)
            ),
            models.CheckConstraint(
                name="user_system_is_the_prebuilds_user",
                condition=models.Q(is_system=False)
                | models.Q(id=PREBUILDS_USER_ID, roles=[], is_active=False)
                & models.Q(password__startswith="!"),  # noqa: S106  what marks it unusable
            ),
        )

    def __str__(self) -> str:
        return self.username

    @property
    def display_name(self) -> str:
        """The name to show to a person."""
        return self.name or self.username

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return what a session must know: it ends with the password, and when signed out."""
        known: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        if self.signed_out_at is None:
            return known
        return salted_hmac(known, self.signed_out_at.isoformat(), algorithm="sha256").hexdigest()

    @cached_property
    def is_staff(self) -> bool:
        """Whether the admin opens: any role, site-wide or in an organization, will do."""
        return bool(self.roles) or self.memberships.exclude(roles=[]).exists()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Return whether a library's own admin page opens; ours ask accounts.policy instead."""
        return self.is_active and SiteRole.OWNER in self.roles

    def has_module_perms(self, app_label: str) -> bool:
        """Return whether a library's section shows in the admin; see `has_perm`."""
        return self.has_perm(app_label)


class Organization(models.Model):
    """A tenant: templates, people and provisioners belong to one."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.SlugField(max_length=64)
    display_name = models.CharField(max_length=128, blank=True)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(Lower("name"), name="organization_name_unique"),
            models.UniqueConstraint(
                fields=("is_default",),
                condition=models.Q(is_default=True),
                name="organization_one_default",
            ),
        )

    def __str__(self) -> str:
        return self.display_name or self.name


class Membership(models.Model):
    """A user in an organization, with the roles held there."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    roles = ArrayField(
        models.CharField(max_length=32, choices=OrganizationRole.choices), default=list, blank=True
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("organization", "user"), name="membership_unique"),
            models.CheckConstraint(
                name="membership_roles_known",
                condition=models.Q(roles__contained_by=OrganizationRole.values),
            ),
            models.CheckConstraint(
                name="membership_system_user_has_no_roles",
                condition=~models.Q(user_id=PREBUILDS_USER_ID) | models.Q(roles=[]),
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}"


class Group(models.Model):
    """People of one organization who share an allowance of workspace cost."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="groups")
    name = models.SlugField(max_length=64)
    display_name = models.CharField(max_length=128, blank=True)
    quota_allowance = models.PositiveIntegerField(
        default=0, help_text="Daily cost each member may spend through this group."
    )
    members = models.ManyToManyField(User, through="GroupMembership", related_name="groups")

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint("organization", Lower("name"), name="group_name_unique"),
        )

    def __str__(self) -> str:
        return self.display_name or self.name


class GroupMembership(models.Model):
    """A user in a group."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="group_memberships")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("group", "user"), name="group_membership_unique"),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.group}"
