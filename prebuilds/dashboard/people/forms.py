"""What one fills in about a person. Whether it may be done, the services say."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator

from accounts.enums import SiteRole
from accounts.models import Organization, User
from prebuilds.dashboard.base.forms import HouseForm

PASSWORD_LIMIT: Final = 1024
GOOD_ENOUGH: Final = (
    "At least 8 characters, not only digits, no common password, nothing like the user's name."
)
NAME_FORM: Final = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Use letters, digits, dots, dashes and underscores, a letter or digit first.",
)


def new_password(*, label: str, help_text: str = "", required: bool = True) -> forms.CharField:
    """Return an input for a password that is to be; browsers offer to make one up."""
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required,
        max_length=PASSWORD_LIMIT,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ProfileForm(HouseForm):
    """How a person is called and reached."""

    username = forms.CharField(
        label="User name",
        max_length=64,
        validators=[NAME_FORM],
        help_text="What they sign in with; the case does not matter.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    name = forms.CharField(
        label="Name", max_length=128, required=False, help_text="The name shown to others."
    )
    email = forms.EmailField(label="E-mail", required=False)


class PasswordForm(HouseForm):
    """A new password for somebody."""

    password = new_password(
        label="New password", help_text=f"{GOOD_ENOUGH} Tell it to them in a safe way."
    )


class NewPersonForm(ProfileForm):
    """A person to be."""

    password = new_password(
        label="Password",
        required=False,
        help_text=f"{GOOD_ENOUGH} Tell it to them in a safe way. Without one they cannot sign "
        "in with a password.",
    )
    roles = forms.MultipleChoiceField(
        label="Site roles",
        required=False,
        help_text="Hold everywhere. Without any, they are a plain member.",
        widget=forms.CheckboxSelectMultiple,
    )
    organizations = forms.MultipleChoiceField(
        label="Member of", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self, *args: Any, roles: Sequence[str], homes: Sequence[Organization], **kwargs: Any
    ) -> None:
        initial = [str(each.pk) for each in homes if each.is_default]
        super().__init__(*args, initial={"organizations": initial}, **kwargs)
        set_choices(self, "roles", labelled(SiteRole.choices, roles))
        set_choices(self, "organizations", [(str(each.pk), str(each)) for each in homes])


class RolesForm(HouseForm):
    """Roles to hold; what the actor may not give or take is not among them."""

    roles = forms.MultipleChoiceField(
        label="Roles", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, choices: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_choices(self, "roles", choices)


class JoinForm(HouseForm):
    """An organization to become a member of."""

    organization = forms.ChoiceField(label="Organization")

    def __init__(self, *args: Any, homes: Sequence[Organization], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_choices(self, "organization", [(str(each.pk), str(each)) for each in homes])


def labelled(choices: Iterable[tuple[str, str]], values: Sequence[str]) -> list[tuple[str, str]]:
    """Return those of the choices that are among the values."""
    return [(value, label) for value, label in choices if value in values]


def set_choices(form: forms.Form, name: str, choices: Sequence[tuple[str, str]]) -> None:
    """Say what may be chosen, once it is known."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


def profile_of(person: User) -> dict[str, str]:
    """Return what the profile form shows at first."""
    return {"username": person.username, "name": person.name, "email": person.email}
