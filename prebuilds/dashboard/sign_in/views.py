"""Sign in with a name and a password; sign out by a button."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import audit
from accounts.enums import AuditSource
from accounts.errors import AccountsError, TooManyTries
from accounts.services import known_browsers, sign_in
from prebuilds.dashboard.people.forms import PASSWORD_LIMIT


class SignInForm(AuthenticationForm):
    """The stock form in the house's words and look; the service looks at the password."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.refused: AccountsError | None = None
        self.fields["username"].label = "User name"
        self.fields["password"].max_length = PASSWORD_LIMIT  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"

    def clean(self) -> dict[str, Any]:
        """Let the person in, or say why not: wrong words, or too many of them."""
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if username is None or not password:
            return self.cleaned_data
        assert self.request is not None
        try:
            self.user_cache = sign_in.open_session(
                attempt=_attempt_of(self.request, username), password=password, now=timezone.now()
            )
        except AccountsError as error:
            self.refused = error
            raise forms.ValidationError(str(error)) from error
        return self.cleaned_data


class SignIn(LoginView):
    """The sign-in page; who is in already goes on."""

    template_name = "sign_in/page.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]
    extra_context = {"show_demo_hint": settings.DEBUG}

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Go on, and let the browser remember that this person signed in there."""
        response = super().form_valid(form)
        response.set_cookie(
            settings.KNOWN_BROWSER_COOKIE_NAME,
            known_browsers.make_mark(form.get_user().get_username()),
            max_age=known_browsers.LIFETIME,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Show the page again; a wait is a 429, as it is over the API."""
        response = super().form_invalid(form)
        refused = getattr(form, "refused", None)
        if isinstance(refused, TooManyTries):
            response.status_code = 429
            response.headers["Retry-After"] = str(refused.retry_after)
        return response


class SignOut(LogoutView):
    """End the session; POST only."""

    http_method_names = ["post", "options"]


def _attempt_of(request: HttpRequest, username: str) -> sign_in.Attempt:
    return sign_in.Attempt(
        username=username,
        actor=audit.actor_at(request.META, user=None, source=AuditSource.PAGE),
        kept=request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE_NAME, ""),
    )
