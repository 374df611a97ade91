"""What one fills in about organizations and groups. Whether it may be done, the services say."""

from typing import Final

from django import forms

from prebuilds.dashboard.base.forms import HouseForm

LARGEST_ALLOWANCE: Final = 2_147_483_647


class OrganizationForm(HouseForm):
    """How an organization is called."""

    name = forms.SlugField(
        label="Name", max_length=64, help_text="Letters, digits, - and _; stands in addresses."
    )
    display_name = forms.CharField(
        label="Display name", max_length=128, required=False, help_text="The name shown to people."
    )


class GroupForm(OrganizationForm):
    """A group and its allowance."""

    quota_allowance = forms.IntegerField(
        label="Allowance a day",
        min_value=0,
        max_value=LARGEST_ALLOWANCE,
        initial=0,
        help_text="How much daily cost each of its people may spend through this group. Costs are "
        "set by template versions; what costs nothing needs no allowance.",
    )


class AddForm(HouseForm):
    """Somebody to add, by user name."""

    username = forms.CharField(
        label="User name",
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
