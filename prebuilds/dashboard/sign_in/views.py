"""Sign in with a name and a password; sign out by a button."""

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest


class SignInForm(AuthenticationForm):
    """The stock form in the house's words and look."""

    error_messages = {
        "invalid_login": "User name and password do not fit together. Check both and try again.",
        "inactive": "This account is switched off. Ask an administrator.",
    }

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "User name"
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"


class SignIn(LoginView):
    """The sign-in page; who is in already goes on."""

    template_name = "sign_in/page.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True
    http_method_names = ["get", "head", "post", "options"]
    extra_context = {"show_demo_hint": settings.DEBUG}


class SignOut(LogoutView):
    """End the session; POST only."""

    http_method_names = ["post", "options"]
