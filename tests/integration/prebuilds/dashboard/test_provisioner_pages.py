"""The list of provisioners, and keys made, shown once and revoked."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.selectors import digest
from prebuilds.dashboard.provisioners.presentation import BadTags, read_tags
from tests.factories import (
    acquire,
    default_organization,
    make_bound_job,
    make_daemon,
    make_key,
    make_organization,
    make_workspace,
)
from tests.integration.prebuilds.dashboard.visitors import admin_of, client_of, text_of, visitor
from workspaces.models import ProvisionerJob, ProvisionerKey

pytestmark = pytest.mark.django_db

LIST = "/provisioners/"
NEW = "/provisioners/keys/new"


@pytest.fixture
def admin() -> Client:
    return visitor("template admin")


def asked(**changed: str) -> dict[str, str]:
    return {
        "organization": str(default_organization().pk),
        "name": "build-1",
        "tags": "region=eu\n",
    } | changed


def test_provisioners_say_how_they_are_and_what_they_do(admin):
    workspace = make_workspace(name="api")
    job = acquire(daemon=make_daemon(name="busy-one", tags={"zone": "<b>x</b>"}))
    make_daemon(name="free-one")
    make_daemon(name="gone-one", now=timezone.now() - timedelta(minutes=5))

    response = admin.get(LIST)

    text = text_of(response)
    assert "2 of 3 provisioners online, 1 busy." in text
    assert f'<a href="/jobs/{job.job_id}/">{workspace.name}</a>' in text
    assert "zone=&lt;b&gt;x&lt;/b&gt;" in text
    assert [row.word for row in response.context["rows"]] == ["Busy", "Online, free", "Offline"]


def test_no_provisioner_online_is_said_aloud(admin):
    assert "No provisioner yet" in admin.get(LIST).text
    make_daemon(now=timezone.now() - timedelta(minutes=5))

    assert "No provisioner is online: nothing is built." in text_of(admin.get(LIST))


def test_the_list_is_exported(admin):
    make_daemon(name="builder", tags={"region": "eu"})

    rows = json.loads(b"".join(admin.get(f"{LIST}?format=json").streaming_content))

    assert [(row["name"], row["tags"], row["jobs"]) for row in rows] == [
        ("builder", {"region": "eu"}, 0)
    ]


def test_a_key_is_shown_once_with_the_command_to_run(admin):
    response = admin.post(NEW, asked())

    key = ProvisionerKey.objects.get()
    secret = response.context["secret"]
    assert bytes(key.digest) == digest(secret)
    assert (key.name, key.tags) == ("build-1", {"region": "eu"})
    assert response["Cache-Control"] == "no-store"
    assert f"PREBUILDS_PROVISIONER_KEY={secret} python manage.py provisioner --url" in response.text
    assert "--tag region=eu" in response.text
    assert secret not in admin.get(LIST).text
    assert AuditEntry.objects.filter(action="create", object_label="build-1").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "not a name"}, "not a name"),
        ({"name": "taken"}, "taken"),
        ({"name": ""}, "required"),
        ({"tags": "region"}, "write key=value"),
        ({"organization": "nonsense"}, "nonsense"),
    ],
)
def test_what_is_wrong_is_said_at_its_input(admin, changed, said):
    make_key("taken")

    response = admin.post(NEW, asked(**changed))

    (name,) = changed
    assert response.status_code == 422
    assert said in str(response.context["form"].errors[name])
    assert ProvisionerKey.objects.count() == 1


def test_an_admin_of_another_organization_makes_no_key_here():
    client = client_of(admin_of(make_organization()))

    assert client.post(NEW, asked()).status_code == 422
    assert not ProvisionerKey.objects.exists()


def test_revoking_shows_whom_it_shuts_out_and_does_it(admin):
    key, _ = make_key("build-1")
    make_daemon(name="far-away", key=key)
    address = f"{LIST}keys/{key.pk}/revoke"

    plan = admin.get(address)
    first = admin.post(address, follow=True)
    second = admin.post(address)

    assert "shut out far-away" in text_of(plan)
    assert "build-1 lets nobody in any more." in text_of(first)
    assert second.status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is not None


@pytest.mark.parametrize(
    ("kind", "reads", "changes"),
    [
        ("owner", 200, 200),
        ("organization admin", 200, 200),
        ("auditor", 200, 403),
        ("member", 404, 404),
        ("member elsewhere", 404, 404),
        ("user admin", 404, 404),
        ("stranger", 302, 302),
    ],
)
def test_who_reads_and_who_changes(kind, reads, changes):
    key, _ = make_key()
    client = visitor(kind)

    assert client.get(LIST).status_code == reads
    assert client.get(f"{LIST}table").status_code == reads
    assert client.get(NEW).status_code == changes
    assert client.get(f"{LIST}keys/{key.pk}/revoke").status_code == changes


def test_a_key_of_another_organization_is_not_there():
    key, _ = make_key(organization=make_organization())

    client = visitor("organization admin")

    assert client.post(f"{LIST}keys/{key.pk}/revoke").status_code == 404
    assert key.name not in client.get(LIST).text


def test_the_list_costs_the_same_for_many(admin, django_assert_max_num_queries):
    for _ in range(5):
        make_daemon()
        make_key()

    with django_assert_max_num_queries(2 + 4):
        admin.get(f"{LIST}table")
    with django_assert_max_num_queries(12):
        admin.get(LIST)


@pytest.mark.parametrize(
    "text", ["=eu", "region", "a=1\na=2", "x" * 65 + "=1", "\n".join(f"t{n}=1" for n in range(51))]
)
def test_tags_that_are_none_are_refused(text):
    with pytest.raises(BadTags):
        read_tags(text)


def test_tags_are_read_line_by_line():
    assert read_tags(" region = eu \n\ngpu=\n") == {"region": "eu", "gpu": ""}


HOUR_AGO = timezone.now() - timedelta(hours=1)


def test_each_provisioner_shows_its_machine(admin):
    make_daemon(name="one", machine="0123456789abcdef")
    make_daemon(name="older")

    response = admin.get(LIST)

    assert '<code class="text-break" title="0123456789abcdef">0123456789a…</code>' in response.text
    assert "not told" in response.text
    assert b"0123456789abcdef" in b"".join(admin.get(f"{LIST}?format=json").streaming_content)


def test_only_the_last_seen_of_a_machine_that_is_away_offers_to_forget_it(admin):
    make_daemon(name="first", machine="away", now=HOUR_AGO)
    last = make_daemon(name="last", machine="away", now=HOUR_AGO + timedelta(minutes=1))
    make_daemon(name="was", machine="here", now=HOUR_AGO)
    make_daemon(name="is", machine="here")
    make_daemon(name="tells none", now=HOUR_AGO)

    rows = admin.get(LIST).context["rows"]

    assert [row.daemon.daemon_id for row in rows if row.may_forget] == [last.pk]


def test_forgetting_a_machine_shows_what_it_releases_and_does_it(admin):
    job = make_bound_job()
    address = f"{LIST}machines/m-1/forget"

    plan = text_of(admin.get(address))
    assert "releases 1 waiting job of 1 workspace:" in plan
    assert "1 workspace of people" in plan
    assert "prebuild" not in plan
    assert ProvisionerJob.objects.get(pk=job.pk).machine == "m-1"

    answer = text_of(admin.post(address, follow=True))

    assert "1 waiting job of 1 workspace may be done by any provisioner" in answer
    assert ProvisionerJob.objects.get(pk=job.pk).machine == ""
    assert AuditEntry.objects.filter(action="forget_machine", object_label="build-1").exists()
    assert "no live workspace is bound" in text_of(admin.get(address))
    assert "nothing changed" in text_of(admin.post(address, follow=True))


def test_a_machine_that_is_online_is_not_forgotten_and_the_plan_says_so(admin):
    make_bound_job()
    make_daemon(name="again", machine="m-1")
    address = f"{LIST}machines/m-1/forget"

    plan = text_of(admin.get(address))
    answer = text_of(admin.post(address, follow=True))

    assert "again of that machine is online" in plan
    assert "It is gone for good" not in plan
    assert "again of that machine is online" in answer
    assert ProvisionerJob.objects.filter(machine="m-1").count() == 2


def test_an_unknown_machine_is_not_there(admin):
    assert admin.get(f"{LIST}machines/nowhere/forget").status_code == 404


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("owner", 200),
        ("template admin", 200),
        ("organization admin", 403),
        ("auditor", 403),
        ("member", 404),
    ],
)
def test_a_machine_that_served_everybody_is_forgotten_by_who_may_everywhere(kind, status):
    make_bound_job()

    assert visitor(kind).get(f"{LIST}machines/m-1/forget").status_code == status


def test_a_machine_of_one_organization_is_forgotten_by_its_admin_and_unknown_elsewhere():
    make_bound_job(key=make_key()[0])
    elsewhere = client_of(admin_of(make_organization()))

    address = f"{LIST}machines/m-1/forget"
    assert visitor("organization admin").get(address).status_code == 200
    assert elsewhere.get(address).status_code == 404
    assert elsewhere.post(address).status_code == 404
