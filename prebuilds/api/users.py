"""People: search, make, rename, roles, password, suspend and activate. Nobody is deleted."""

from typing import Any, ClassVar

from django.db.models import Prefetch, Q, QuerySet
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import policy, selectors
from accounts.enums import SiteRole
from accounts.models import Membership, Organization, User
from accounts.policy import Action, Resource
from accounts.services import users
from prebuilds.api.base.pages import answer_page, list_of
from prebuilds.api.base.preconditions import etag, if_match
from prebuilds.api.base.search import Filters, one_of, read_search
from prebuilds.api.base.serializers import Empty, PageQuery, StrictSerializer
from prebuilds.api.base.views import ApiView
from prebuilds.api.people import UniqueListField, UserSerializer, UserStatus
from prebuilds.api.visible import visible_organizations, visible_user, visible_users

PASSWORD_LIMIT = 1024


class UsersQuery(PageQuery):
    """Which people."""

    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=1000,
        help_text="A part of name or address; `status:active`, `role:owner`.",
    )


class NameField(serializers.RegexField):
    """A user name as the database takes it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
            max_length=64,
            error_messages={
                "invalid": "Use letters, digits, dots, dashes and underscores, "
                "a letter or digit first."
            },
            **kwargs,
        )


class CreateUserSerializer(StrictSerializer):
    """A person to be."""

    username = NameField()
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True, default="")
    name = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    password = serializers.CharField(
        max_length=PASSWORD_LIMIT,
        trim_whitespace=False,
        required=False,
        allow_null=True,
        default=None,
        help_text="Without one they cannot sign in with a password.",
    )
    organization_ids = UniqueListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=100,
        help_text="Default: the default organization.",
    )
    roles = UniqueListField(
        child=serializers.ChoiceField(choices=SiteRole.choices), required=False, default=list
    )


class UserProfileSerializer(StrictSerializer):
    """How a person is called."""

    username = NameField()
    name = serializers.CharField(max_length=128, allow_blank=True, required=False)


class SiteRolesSerializer(StrictSerializer):
    """All site roles a person is to hold."""

    roles = UniqueListField(child=serializers.ChoiceField(choices=SiteRole.choices))


class PasswordSerializer(StrictSerializer):
    """A new password, and the old one of whoever changes their own."""

    old_password = serializers.CharField(
        max_length=PASSWORD_LIMIT, trim_whitespace=False, required=False, allow_blank=True
    )
    password = serializers.CharField(max_length=PASSWORD_LIMIT, trim_whitespace=False)


class UserView(ApiView):
    """Base of what shows or changes one person."""

    error_statuses: ClassVar[tuple[int, ...]] = (409, 412)

    def changeable(self, user: str, *, own: bool) -> User:
        """Return a person the caller may change; `own` says whether everybody may themselves."""
        found = visible_user(self.user, user)
        owner_id = found.pk if own else None
        if not policy.can(self.user, Action.UPDATE, Resource.USER, owner_id=owner_id):
            raise PermissionDenied
        return found

    def answer(self, user: User, code: int = status.HTTP_200_OK) -> Response:
        """Answer with the person as the caller sees them."""
        shown = with_memberships(visible_users(self.user), self.user).get(pk=user.pk)
        response = Response(UserSerializer(shown).data, status=code)
        response["ETag"] = etag(selectors.mark_of_user(shown))
        return response


class UsersView(UserView):
    """GET and POST /users"""

    error_statuses = (409,)

    @extend_schema(parameters=[UsersQuery], responses=list_of("users", UserSerializer))
    def get(self, request: Request) -> Response:
        """Return the people the caller may know, by name."""
        asked = self.query(UsersQuery)
        found = visible_users(self.user).filter(read_search(asked["q"], FILTERS))
        return answer_page(
            request,
            with_memberships(found, self.user),
            asked,
            lambda one: UserSerializer(one).data,
            wrap="users",
        )

    @extend_schema(request=CreateUserSerializer, responses={201: UserSerializer})
    def post(self, request: Request) -> Response:
        """Make a person."""
        self.permit(Action.CREATE, Resource.USER)
        asked = self.body(CreateUserSerializer)
        organizations = homes_for(self.user, asked.pop("organization_ids", None))
        made = users.create_user(
            **asked, organizations=organizations, actor=self.actor, now=timezone.now()
        )
        return self.answer(made, status.HTTP_201_CREATED)


class OneUserView(UserView):
    """GET /users/{user}"""

    error_statuses = ()

    @extend_schema(responses=UserSerializer)
    def get(self, request: Request, user: str) -> Response:
        """Return a person by id or name; `me` is the caller."""
        return self.answer(visible_user(self.user, user))


class ProfileView(UserView):
    """PUT /users/{user}/profile"""

    @extend_schema(request=UserProfileSerializer, responses=UserSerializer)
    def put(self, request: Request, user: str) -> Response:
        """Rename a person."""
        found = self.changeable(user, own=True)
        asked = self.body(UserProfileSerializer)
        users.update_profile(
            user_id=found.pk,
            username=asked["username"],
            name=asked.get("name", found.name),
            actor=self.actor,
            now=timezone.now(),
            check=if_match(request, selectors.mark_of_user),
        )
        return self.answer(found)


class RolesView(UserView):
    """PUT /users/{user}/roles"""

    @extend_schema(request=SiteRolesSerializer, responses=UserSerializer)
    def put(self, request: Request, user: str) -> Response:
        """Give a person exactly these site roles."""
        found = self.changeable(user, own=False)
        users.set_roles(
            user_id=found.pk,
            roles=self.body(SiteRolesSerializer)["roles"],
            actor=self.actor,
            now=timezone.now(),
            check=if_match(request, selectors.mark_of_user),
        )
        return self.answer(found)


class PasswordView(UserView):
    """PUT /users/{user}/password"""

    error_statuses = ()

    @extend_schema(request=PasswordSerializer, responses={204: None})
    def put(self, request: Request, user: str) -> Response:
        """Set a password; the person's sessions and tokens end."""
        found = self.changeable(user, own=True)
        asked = self.body(PasswordSerializer)
        users.change_password(
            user_id=found.pk,
            password=asked["password"],
            old_password=asked.get("old_password"),
            actor=self.actor,
            now=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class StatusView(UserView):
    """PUT /users/{user}/status/suspend and PUT /users/{user}/status/activate"""

    error_statuses = (409,)
    change: ClassVar[Any] = None

    @extend_schema(request=None, responses=UserSerializer)
    def put(self, request: Request, user: str) -> Response:
        """Let a person in, or in no more."""
        found = self.changeable(user, own=False)
        self.body(Empty)
        type(self).change(user_id=found.pk, actor=self.actor, now=timezone.now())
        return self.answer(found)


class SuspendView(StatusView):
    """PUT /users/{user}/status/suspend"""

    change = staticmethod(users.suspend_user)


class ActivateView(StatusView):
    """PUT /users/{user}/status/activate"""

    change = staticmethod(users.activate_user)


def with_memberships(rows: QuerySet[User], viewer: User) -> QuerySet[User]:
    """Add the memberships the viewer may know of."""
    known = Membership.objects.filter(organization__in=visible_organizations(viewer))
    return rows.prefetch_related(Prefetch("memberships", known.order_by("organization_id")))


def homes_for(actor: User, wanted: list[Any] | None) -> list[Organization]:
    """Return the organizations a new person is to join, each one where the actor adds members."""
    rows = visible_organizations(actor)
    rows = rows.filter(is_default=True) if wanted is None else rows.filter(pk__in=wanted)
    found = [
        one
        for one in rows
        if policy.can(actor, Action.CREATE, Resource.ORGANIZATION_MEMBER, organization_id=one.pk)
    ]
    missing = sorted(str(one) for one in set(wanted or ()) - {one.pk for one in found})
    if missing:
        raise serializers.ValidationError(
            {"organization_ids": [f"{missing[0]} is no organization you add people to."]}
        )
    return found


def _status(value: str) -> Q:
    word = one_of(value, UserStatus.values)
    return Q(is_active=word == UserStatus.ACTIVE)


def _role(value: str) -> Q:
    return Q(roles__contains=[one_of(value, SiteRole.values)])


def _words(value: str) -> Q:
    return Q(username__icontains=value) | Q(email__icontains=value) | Q(name__icontains=value)


FILTERS: Filters = {"": _words, "status": _status, "role": _role}

urlpatterns = [
    path("users", UsersView.as_view()),
    path("users/<str:user>", OneUserView.as_view()),
    path("users/<str:user>/profile", ProfileView.as_view()),
    path("users/<str:user>/roles", RolesView.as_view()),
    path("users/<str:user>/password", PasswordView.as_view()),
    path("users/<str:user>/status/suspend", SuspendView.as_view()),
    path("users/<str:user>/status/activate", ActivateView.as_view()),
]
