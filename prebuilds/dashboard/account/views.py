"""One's own page, and what can be changed there. The services check; nobody needs a role for it."""

from typing import Any, Final
from uuid import UUID

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import policy, selectors
from accounts.enums import TokenScope
from accounts.errors import AccountsError
from accounts.policy import Action, Resource
from accounts.services import tokens, users
from prebuilds.dashboard.account.forms import PasswordForm, ProfileForm, TokenForm
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.forms import HouseForm, ask, sent, still
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.base.plan import Plan, render_plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.people.presentation import (
    say_organization_roles,
    say_site_roles,
    say_use,
)
from prebuilds.dashboard.people.queries import live_tokens, readable_memberships

METHODS: Final = ["GET", "HEAD", "POST"]
SECTION: Final = "account"


@signed_in
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show who one is, what one may do, and the tokens that work."""
    viewer, now = current_user(request), timezone.now()
    memberships = readable_memberships(viewer).filter(user=viewer)
    context = {
        "roles": say_site_roles(viewer.roles),
        "memberships": [(each, say_organization_roles(each.roles)) for each in memberships],
        "tokens": live_tokens(viewer),
        "scopes": dict(TokenScope.choices),
        "may_read_people": policy.subject_of(viewer).can_anywhere(Action.READ, Resource.USER),
        "now": now,
    }
    return render_page(request, "account/page.html", context, section=SECTION)


@signed_in
@require_http_methods(METHODS)
def edit(request: HttpRequest) -> HttpResponse:
    """Change one's own name and address."""
    viewer = current_user(request)
    first = {
        "name": viewer.name,
        "email": viewer.email,
        "mark": selectors.mark_of_user(viewer),
    }

    def do(values: dict[str, Any]) -> str:
        users.update_profile(
            user_id=viewer.pk,
            username=viewer.username,
            name=values["name"],
            email=values["email"],
            actor=actor_of(request),
            now=timezone.now(),
            check=still(values["mark"], selectors.mark_of_user),
        )
        return "Saved."

    shown = Plan(
        title="Your name and e-mail",
        sentence=f"You sign in as {viewer.username}; that an administrator changes.",
        verb="Save",
    )
    return _ask(request, shown, ProfileForm(sent(request), initial=first), do)


@sensitive_post_parameters()
@signed_in
@require_http_methods(METHODS)
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; this session goes on."""
    viewer = current_user(request)

    def do(values: dict[str, Any]) -> str:
        changed = users.change_password(
            user_id=viewer.pk,
            password=values["password"],
            old_password=values["old_password"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        update_session_auth_hash(request, changed)
        return "Your password is changed. Other sessions and all tokens have ended."

    number = live_tokens(viewer).count()
    ends = f", and so {'does' if number == 1 else 'do'} your {say_count(number, 'API token')}"
    shown = Plan(
        title="Change your password",
        sentence=f"You stay signed in here; your other sessions end{ends if number else ''}.",
        verb="Change password",
    )
    return _ask(request, shown, PasswordForm(sent(request)), do)


@signed_in
@require_http_methods(METHODS)
def create_token(request: HttpRequest) -> HttpResponse:
    """Make a token; its secret is on the page that answers, and never again anywhere."""
    form, now = TokenForm(sent(request)), timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            token, secret = tokens.create_token(
                user=current_user(request),
                name=form.cleaned_data["token_name"],
                scope=TokenScope(form.cleaned_data["scope"]),
                expires_at=form.end(now),
                actor=actor_of(request),
                now=now,
            )
        except AccountsError as error:
            form.refuse(error)
        else:
            context = {"token": token, "secret": secret}
            return render_page(request, "account/secret.html", context, section=SECTION)
    shown = Plan(
        title="New API token",
        sentence="A program that has it acts in your name, within what you choose here. The token "
        "is shown once.",
        verb="Make token",
        form="base/fields.html",
    )
    status = 422 if request.method == "POST" else 200
    return render_plan(
        request, shown, section=SECTION, back=_back(), context={"form": form}, status=status
    )


@signed_in
@require_http_methods(METHODS)
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End one of one's own tokens."""
    token = get_object_or_404(live_tokens(current_user(request)), pk=token_id)

    def do(values: dict[str, Any]) -> str:
        tokens.revoke_token(token=token, actor=actor_of(request), now=timezone.now())
        return f'The token "{token.name}" works no more.'

    shown = Plan(
        title=f'Revoke the token "{token.name}"',
        sentence="Programs that use it are refused from now on; it cannot be brought back. "
        + say_use(token),
        verb="Revoke",
        danger=True,
    )
    return _ask(request, shown, HouseForm(sent(request)), do)


def _ask(request: HttpRequest, plan: Plan, form: HouseForm, do: Any) -> HttpResponse:
    return ask(request, plan, form, do, section=SECTION, back=_back())


def _back() -> str:
    return reverse("dashboard:account")
