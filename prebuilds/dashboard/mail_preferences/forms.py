"""The choice, as a form."""

from django import forms

from prebuilds.dashboard.base.forms import HouseForm


class PreferenceForm(HouseForm):
    """Which mails one wants."""

    incidents = forms.BooleanField(
        label="When a notice opens and when it closes",
        required=False,
        help_text="One mail each, however long it lasts.",
    )
    digest = forms.BooleanField(
        label="A daily reminder of what is still open",
        required=False,
        help_text="None on days when nothing is open since the day before.",
    )
