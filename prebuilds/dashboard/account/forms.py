"""What one fills in about oneself."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms

from accounts.enums import TokenScope
from prebuilds.dashboard.base.forms import HouseForm
from prebuilds.dashboard.people.forms import GOOD_ENOUGH, PASSWORD_LIMIT, new_password

LIFETIMES: Final = (
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "a year"),
    ("", "until it is revoked"),
)
SCOPES: Final = (
    (TokenScope.READ, "Read: look at everything you may look at"),
    (TokenScope.USE, "Use: and create, start, stop and delete your workspaces"),
    (TokenScope.MANAGE, "Manage: and everything else your roles allow"),
)


class ProfileForm(HouseForm):
    """How one is called and reached; the user name an administrator changes."""

    name = forms.CharField(
        label="Name", max_length=128, required=False, help_text="The name shown to others."
    )
    email = forms.EmailField(label="E-mail", required=False)


class PasswordForm(HouseForm):
    """A new password, and the old one to show that it is really you."""

    old_password = forms.CharField(
        label="Present password",
        max_length=PASSWORD_LIMIT,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    password = new_password(label="New password", help_text=GOOD_ENOUGH)
    again = new_password(label="New password, once more")

    def clean(self) -> dict[str, Any]:
        """Want the same twice, so that a slip of the finger locks nobody out."""
        values = self.cleaned_data
        if "again" in values and values.get("password") != values["again"]:
            self.add_error("again", "This is not what you typed above. Type the same twice.")
        return values


class TokenForm(HouseForm):
    """A token to be."""

    token_name = forms.CharField(
        label="Name", max_length=64, help_text='What it is for, such as "backup script".'
    )
    scope = forms.ChoiceField(label="It may", choices=SCOPES, initial=TokenScope.USE)
    days = forms.ChoiceField(label="It works for", choices=LIFETIMES, initial="30", required=False)

    def end(self, now: datetime) -> datetime | None:
        """Return when the token ends; None for never."""
        days = self.cleaned_data["days"]
        return now + timedelta(days=int(days)) if days else None
