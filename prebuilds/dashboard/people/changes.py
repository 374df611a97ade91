"""What can be done to a person; each says first what it means. Nobody grants what they lack."""

from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import policy, selectors
from accounts.enums import SiteRole
from accounts.models import User
from accounts.policy import Action, Resource
from accounts.services import organizations, tokens, users
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.forms import HouseForm, ask, sent, still
from prebuilds.dashboard.base.plan import Plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.people import queries
from prebuilds.dashboard.people.forms import (
    JoinForm,
    NewPersonForm,
    PasswordForm,
    ProfileForm,
    RolesForm,
    labelled,
    profile_of,
)
from prebuilds.dashboard.people.presentation import say_site_roles, say_use
from prebuilds.dashboard.people.views import find_changeable, find_person

METHODS: Final = ["GET", "HEAD", "POST"]


@sensitive_post_parameters()
@signed_in
@require_http_methods(METHODS)
def create(request: HttpRequest) -> HttpResponse:
    """Make a person."""
    actor = current_user(request)
    if not policy.can(actor, Action.CREATE, Resource.USER):
        may_know = policy.subject_of(actor).can_anywhere(Action.READ, Resource.USER)
        raise PermissionDenied if may_know else Http404("not for you")
    homes = {str(each.pk): each for each in queries.homes_to_offer(actor)}
    form = NewPersonForm(
        sent(request), roles=policy.grantable_roles(actor), homes=list(homes.values())
    )

    def do(values: dict[str, Any]) -> str:
        made = users.create_user(
            username=values["username"],
            email=values["email"],
            name=values["name"],
            password=values["password"] or None,
            roles=values["roles"],
            organizations=[homes[each] for each in values["organizations"]],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return f"{made.display_name} is there: {say_site_roles(made.roles)}."

    shown = Plan(
        title="Add a person",
        sentence="They can sign in at once, with the user name and the password you give here.",
        verb="Add",
    )
    return ask(request, shown, form, do, section="people", back=reverse("dashboard:people"))


@signed_in
@require_http_methods(METHODS)
def edit(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Rename a person, or change their address."""
    person = find_changeable(request, user_id)
    first = {**profile_of(person), "mark": selectors.mark_of_user(person)}
    form = ProfileForm(sent(request), initial=first)

    def do(values: dict[str, Any]) -> str:
        users.update_profile(
            user_id=person.pk,
            username=values["username"],
            name=values["name"],
            email=values["email"],
            actor=actor_of(request),
            now=timezone.now(),
            check=still(values["mark"], selectors.mark_of_user),
        )
        return f"{values['username']} is changed."

    shown = Plan(
        title=f"Edit {person.username}",
        sentence="With another user name they sign in with that one from now on.",
        verb="Save",
    )
    return _ask(request, person, shown, form, do)


@signed_in
@require_http_methods(METHODS)
def roles(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Give a person other site roles, of those the actor may give."""
    person = find_changeable(request, user_id)
    if person == current_user(request):
        raise PermissionDenied
    grantable = policy.grantable_roles(current_user(request))
    form = RolesForm(
        sent(request),
        choices=labelled(SiteRole.choices, grantable),
        initial={"roles": person.roles, "mark": selectors.mark_of_user(person)},
    )

    def do(values: dict[str, Any]) -> str:
        kept = set(person.roles) - set(grantable)
        changed = users.set_roles(
            user_id=person.pk,
            roles=sorted({*values["roles"], *kept}),
            actor=actor_of(request),
            now=timezone.now(),
            check=still(values["mark"], selectors.mark_of_user),
        )
        return f"{changed.username} is now: {say_site_roles(changed.roles)}."

    shown = Plan(
        title=f"Site roles of {person.username}",
        sentence=f"Now: {say_site_roles(person.roles)}. A change holds from their next click. "
        "You can give and take the roles that allow nothing you may not do yourself.",
        verb="Save roles",
    )
    return _ask(request, person, shown, form, do)


@sensitive_post_parameters()
@signed_in
@require_http_methods(METHODS)
def password(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Set another person's password; one's own is changed on the account page."""
    if user_id == current_user(request).pk:
        return redirect("dashboard:account_password")
    person = find_changeable(request, user_id)
    form = PasswordForm(sent(request))

    def do(values: dict[str, Any]) -> str:
        users.change_password(
            user_id=person.pk,
            password=values["password"],
            old_password=None,
            actor=actor_of(request),
            now=timezone.now(),
        )
        return f"{person.username} has a new password; sessions and tokens have ended."

    shown = Plan(
        title=f"Set password of {person.username}",
        sentence=f"They are signed out everywhere.{_tokens_end(person)}",
        verb="Set password",
        danger=True,
    )
    return _ask(request, person, shown, form, do)


@signed_in
@require_http_methods(METHODS)
def suspend(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Let a person in no more."""
    person = find_changeable(request, user_id)

    def do(values: dict[str, Any]) -> str:
        users.suspend_user(user_id=person.pk, actor=actor_of(request), now=timezone.now())
        return f"{person.username} is suspended; sessions and tokens have ended."

    shown = Plan(
        title=f"Suspend {person.username}",
        sentence="They are signed out everywhere and cannot sign in until somebody lets them in "
        f"again.{_tokens_end(person)} Their workspaces stay as they are.",
        verb="Suspend",
        danger=True,
        impossible=_why_not_suspend(current_user(request), person),
    )
    return _ask(request, person, shown, HouseForm(sent(request)), do)


@signed_in
@require_http_methods(METHODS)
def activate(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Let a person in again."""
    person = find_changeable(request, user_id)

    def do(values: dict[str, Any]) -> str:
        users.activate_user(user_id=person.pk, actor=actor_of(request), now=timezone.now())
        return f"{person.username} may sign in again."

    shown = Plan(
        title=f"Let {person.username} in again",
        sentence="They can sign in with their password, with the roles they had: "
        f"{say_site_roles(person.roles)}. Tokens that were ended stay so.",
        verb="Let in again",
        impossible="They are not suspended." if person.is_active else "",
    )
    return _ask(request, person, shown, HouseForm(sent(request)), do)


@signed_in
@require_http_methods(METHODS)
def join(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Make a person a member of one more organization."""
    person = find_person(request, user_id)
    there = set(person.memberships.values_list("organization_id", flat=True))
    offered = queries.homes_to_offer(current_user(request))
    if not offered:
        raise PermissionDenied
    homes = {str(each.pk): each for each in offered if each.pk not in there}
    form = JoinForm(sent(request), homes=list(homes.values()))

    def do(values: dict[str, Any]) -> str:
        home = homes[values["organization"]]
        organizations.add_member(
            organization=home, user=person, actor=actor_of(request), now=timezone.now()
        )
        return f"{person.username} is a member of {home}."

    shown = Plan(
        title=f"Add {person.username} to an organization",
        sentence="As a plain member they can create workspaces from its templates.",
        verb="Add",
        impossible="" if homes else "They are a member everywhere you may add people.",
    )
    return _ask(request, person, shown, form, do)


@signed_in
@require_http_methods(METHODS)
def revoke_token(request: HttpRequest, user_id: UUID, token_id: UUID) -> HttpResponse:
    """End somebody else's token."""
    person = find_changeable(request, user_id)
    token = get_object_or_404(queries.live_tokens(person), pk=token_id)

    def do(values: dict[str, Any]) -> str:
        tokens.revoke_token(token=token, actor=actor_of(request), now=timezone.now())
        return f'The token "{token.name}" of {person.username} works no more.'

    shown = Plan(
        title=f'Revoke the token "{token.name}" of {person.username}',
        sentence="Programs that use it are refused from now on; it cannot be brought back. "
        + say_use(token),
        verb="Revoke",
        danger=True,
    )
    return _ask(request, person, shown, HouseForm(sent(request)), do)


def _ask(request: HttpRequest, person: User, plan: Plan, form: HouseForm, do: Any) -> HttpResponse:
    back = reverse("dashboard:person", args=[person.pk])
    return ask(request, plan, form, do, section="people", back=back)


def _tokens_end(person: User) -> str:
    """Return a sentence about the tokens that end; empty when there are none."""
    number = queries.live_tokens(person).count()
    verb = "ends" if number == 1 else "end"
    return f" {say_count(number, 'API token')} of theirs {verb} for good." if number else ""


def _why_not_suspend(actor: User, person: User) -> str:
    if person == actor:
        return "Nobody suspends themselves. Ask another administrator."
    return "" if person.is_active else "They are suspended already."
