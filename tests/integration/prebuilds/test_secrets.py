"""What a script or a driver let slip is not shown to those who may not read its log."""

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.models import Mail, Notice, Trigger
from tests.factories import (
    acquire,
    finish_all_jobs,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from workspaces.models import WorkspaceBuild

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

SECRET = "hunter2hunter2"
WORDS = f"curl: (22) DB_PASSWORD={SECRET} https://bot:{SECRET}@git.example.com refused"
SEEN_BY_ALL = (
    "/",
    "/pools/table",
    "/notices/",
    "/jobs/",
    "/workspaces/?q=owner:prebuilds",
    "/presets/{preset}/",
    "/presets/{preset}/state",
    "/api/v2/prebuilds/notices",
    "/api/v2/prebuilds/state",
    "/api/v2/prebuilds/claims",
    "/api/v2/provisionerjobs",
    "/api/v2/workspaces?q=owner:prebuilds",
    "/api/v2/presets/{preset}",
)


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def preset(settings):
    """A pool whose script fails, and says on its way what it should not, until it is stopped."""
    settings.PREBUILDS_FAILURE_HARD_LIMIT = 1
    preset = preset_of(make_template())
    for _ in range(3):
        reconciler.run_cycle(trigger=Trigger.PERSON, policy=current_policy(), clock=timezone.now)
        finish_all_jobs(fail=WORDS)
    return preset


@pytest.mark.parametrize("address", SEEN_BY_ALL)
def test_a_member_reads_the_error_without_the_secret(preset, address):
    make_user("boss", roles=["owner"])

    answer = client_of(make_user("ben")).get(address.format(preset=preset.pk))

    assert answer.status_code == 200
    assert SECRET not in answer.content.decode()


def test_the_words_that_help_are_still_there(preset):
    notice = Notice.objects.get(preset=preset, kind="hard_limited")

    assert "curl: (22)" in notice.detail
    assert "DB_PASSWORD=(hidden)" in notice.detail
    assert SECRET not in notice.detail


def test_no_mail_holds_it(preset):
    assert SECRET not in str(list(Mail.objects.values()))


def test_what_a_driver_left_behind_and_the_keys_of_requests_are_on_no_page_of_the_admin():
    owner = make_user("olga", roles=["owner"])
    workspace = make_workspace(owner)
    WorkspaceBuild.objects.update(provisioner_state={"password": SECRET})
    claim = apps.get_model("prebuilds", "Claim").objects.get()
    apps.get_model("prebuilds", "Claim").objects.update(
        idempotency_key=SECRET, request_digest=b"0" * 32
    )
    client = client_of(owner)

    pages = [
        client.get(f"/admin/workspaces/workspacebuild/{workspace.latest_build_id}/change/"),
        client.get(f"/admin/prebuilds/claim/{claim.pk}/change/"),
    ]

    assert [each.status_code for each in pages] == [200, 200]
    assert not any(SECRET in each.text for each in pages)


def test_a_job_in_a_log_line_tells_neither_lease_nor_values():
    make_workspace()

    job = acquire()

    assert str(job.lease) not in repr(job)
    assert "parameters" not in repr(job)
