"""The settings page pauses and resumes, for those who may."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.enums import SiteRole
from prebuilds.models import PrebuildsSettings
from tests.factories import make_user

pytestmark = pytest.mark.django_db

LIST = "admin:prebuilds_prebuildssettings_changelist"


def client_with(role: str) -> Client:
    client = Client()
    client.force_login(make_user(roles=[role]))
    return client


def press(client: Client, button: str, **sent: str) -> Any:
    return client.post(reverse(f"admin:prebuilds_prebuildssettings_{button}"), sent, follow=True)


def test_a_template_admin_pauses_with_a_reason_and_resumes() -> None:
    client = client_with(SiteRole.TEMPLATE_ADMIN)

    paused = press(client, "pause", reason=" Flooded queue ")
    row = PrebuildsSettings.objects.get()

    assert "Reconciliation is paused." in paused.text
    assert row.reconciliation_paused
    assert row.pause_reason == "Flooded queue"
    assert row.paused_by is not None

    resumed = press(client, "resume")
    row.refresh_from_db()

    assert "Reconciliation goes on." in resumed.text
    assert not row.reconciliation_paused


def test_the_button_is_there_before_anybody_ever_paused() -> None:
    assert "Pause reconciliation" in client_with(SiteRole.OWNER).get(reverse(LIST)).text


def test_an_auditor_sees_the_state_and_no_button() -> None:
    client = client_with(SiteRole.AUDITOR)

    assert "Reconciliation is running." in client.get(reverse(LIST)).text
    assert "Pause reconciliation" not in client.get(reverse(LIST)).text
    assert press(client, "pause", reason="mine").status_code == 403


def test_following_a_link_does_not_pause() -> None:
    client = client_with(SiteRole.OWNER)

    assert client.get(reverse("admin:prebuilds_prebuildssettings_pause")).status_code == 405
