"""The queue of jobs, one job with its log, and what cancels them."""

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from prebuilds.models import PrebuildsSettings
from tests.factories import (
    acquire,
    finish_all_jobs,
    make_bound_job,
    make_daemon,
    make_organization,
    make_pending_prebuilds,
    make_template,
    make_user,
    make_workspace,
    pause,
    preset_of,
)
from tests.integration.prebuilds.dashboard.visitors import client_of, text_of, visitor
from workspaces.errors import JobEnded
from workspaces.models import JobLog, ProvisionerJob, Workspace

pytestmark = pytest.mark.django_db

LIST = "/jobs/"
CANCEL_PENDING = "/jobs/cancel-pending"


@pytest.fixture
def admin() -> Client:
    return visitor("template admin")


def shown(response) -> list[str]:
    return [row.job.workspace.name for row in response.context["rows"]]


def job_of(workspace: Workspace) -> ProvisionerJob:
    return ProvisionerJob.objects.get(workspace=workspace)


def prebuilds_and_a_person() -> tuple[list[Workspace], Workspace]:
    template = make_template("python")
    prebuilds = make_pending_prebuilds(preset_of(template), 2)
    return prebuilds, make_workspace(make_user("ben"), template=template, name="api")


def test_the_queue_shows_people_first_with_their_places(admin):
    prebuilds, _ = prebuilds_and_a_person()

    response = admin.get(LIST)

    assert shown(response)[0] == "api"
    assert set(shown(response)[1:]) == {one.name for one in prebuilds}
    assert [row.place for row in response.context["rows"]] == ["1 of 3", "2 of 3", "3 of 3"]
    assert "3 jobs wait (1 of people and 2 of prebuilds); none run." in text_of(response)


def test_what_runs_stands_before_what_waits_and_says_who_does_it(admin):
    prebuilds_and_a_person()
    acquire(daemon=make_daemon(name="builder-7"))

    response = admin.get(LIST)

    assert shown(response)[0] == "api"
    assert response.context["rows"][0].place == ""
    assert "builder-7" in response.text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("who=people", 0),
        ("who=prebuilds", 2),
        ("status=succeeded", 1),
        ("status=all", 3),
        ("status=all&kind=delete", 0),
        ("status=all&kind=start", 3),
        ("status=nonsense&who=nobody&template=nonsense", 2),
    ],
)
def test_filters_choose_jobs(admin, query, count):
    template = make_template()
    make_workspace(template=template)
    finish_all_jobs()
    make_pending_prebuilds(preset_of(template), 2)

    assert len(shown(admin.get(f"{LIST}?{query}"))) == count


def test_template_and_organization_choose_jobs(admin):
    one, other = (
        make_template(presets=[]),
        make_template(presets=[], organization=make_organization()),
    )
    make_workspace(template=one, name="here")
    owner = make_user(organization=other.organization)
    make_workspace(owner, template=other, name="there")

    assert shown(admin.get(f"{LIST}?template={one.pk}")) == ["here"]
    assert shown(admin.get(f"{LIST}?organization={other.organization_id}")) == ["there"]


def test_headings_sort_and_pages_turn(admin):
    template = make_template(presets=[])
    owner = make_user()
    for name in ("b", "a"):
        make_workspace(owner, template=template, name=name)

    assert shown(admin.get(f"{LIST}?sort=job")) == ["a", "b"]
    assert shown(admin.get(f"{LIST}?sort=-job")) == ["b", "a"]


def test_an_export_holds_what_the_list_holds(admin):
    prebuilds_and_a_person()

    response = admin.get(f"{LIST}?who=people&format=csv")

    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["workspace"], row["transition"], row["initiator"]) for row in rows] == [
        ("api", "start", "ben")
    ]


@pytest.mark.parametrize(
    ("kind", "count"),
    [("owner", 3), ("auditor", 3), ("organization admin", 3), ("member", 0), ("user admin", 0)],
)
def test_one_sees_the_jobs_one_may_know_of(kind, count):
    prebuilds, _ = prebuilds_and_a_person()
    client = visitor(kind)

    assert len(shown(client.get(LIST))) == count
    status = client.get(f"{LIST}{job_of(prebuilds[0]).pk}/").status_code
    assert status == (200 if count else 404)


def test_a_member_sees_the_jobs_of_their_own_workspaces():
    _, workspace = prebuilds_and_a_person()
    client = client_of(workspace.owner)

    assert shown(client.get(LIST)) == ["api"]
    assert 'href="/jobs/"' not in client.get("/workspaces/").text.split("</header>")[0]


def test_a_stranger_is_sent_to_the_sign_in_page():
    assert visitor("stranger").get(LIST)["Location"].startswith("/sign-in/")


def test_the_list_costs_the_same_for_many(django_assert_max_num_queries):
    admin = visitor("owner")
    template = make_template(presets=[])
    owner = make_user()
    for _ in range(6):
        make_workspace(owner, template=template)

    with django_assert_max_num_queries(2 + 4):
        admin.get(f"{LIST}table")
    with django_assert_max_num_queries(12):
        admin.get(LIST)


def test_a_job_shows_its_log_as_text(admin):
    _, workspace = prebuilds_and_a_person()
    job = job_of(workspace)
    now = timezone.now()
    JobLog.objects.create(job=job, at=now, stage="start", output="<b>hello</b>")
    ProvisionerJob.objects.filter(pk=job.pk).update(log_length=10)

    page = admin.get(f"{LIST}{job.pk}/")
    log = admin.get(f"{LIST}{job.pk}/log")

    assert "&lt;b&gt;hello&lt;/b&gt;" in page.text
    assert b"".join(log.streaming_content).decode().endswith("<b>hello</b>\n")


def test_a_long_log_shows_its_end_and_says_so(admin):
    _, workspace = prebuilds_and_a_person()
    job = job_of(workspace)
    now = timezone.now()
    JobLog.objects.bulk_create(
        JobLog(job=job, at=now, stage="start", output=f"line {n};") for n in range(501)
    )
    ProvisionerJob.objects.filter(pk=job.pk).update(log_length=10)

    text = text_of(admin.get(f"{LIST}{job.pk}/"))

    assert "Only the last 500 lines are shown" in text
    assert "line 0;" not in text
    assert "line 500;" in text


@pytest.mark.parametrize(
    ("daemon", "said"),
    [
        (None, "No provisioner online can do it: it needs type local and tags gpu=yes"),
        ({"tags": {}}, "No provisioner online can do it"),
        ({"tags": {"gpu": "yes"}}, "1 provisioner online can do it; it is taken within seconds"),
    ],
)
def test_a_waiting_job_says_why(admin, daemon, said):
    job = job_of(make_workspace(template=make_template(presets=[], tags={"gpu": "yes"})))
    if daemon is not None:
        make_daemon(**daemon)

    assert said in text_of(admin.get(f"{LIST}{job.pk}/"))


def test_a_job_that_waits_for_a_machine_that_is_away_names_it_and_since_when(admin):
    job = make_bound_job()
    make_daemon(name="elsewhere", machine="m-2")

    page = admin.get(f"{LIST}{job.pk}/")

    text = text_of(page)
    assert (
        "It waits for the machine of build-1 on far: the files of the workspace are there" in text
    )
    assert page.context["view"].awaits.last_seen_at < timezone.now() - timedelta(minutes=59)
    assert "Last seen <time" in text
    assert 'href="/provisioners/machines/m-1/forget"' in page.text
    assert "machine m-1" in text
    assert "for the machine of build-1" in text_of(admin.get(LIST))


def test_who_may_not_forget_a_machine_is_not_offered_to():
    job = make_bound_job()
    owner = Workspace.objects.get(jobs=job).owner

    page = client_of(owner).get(f"{LIST}{job.pk}/")

    assert "It waits for the machine of build-1" in text_of(page)
    assert "/forget" not in page.text


def test_a_job_whose_machine_is_back_waits_for_its_turn_only(admin):
    job = make_bound_job()
    make_daemon(name="again", machine="m-1")

    page = admin.get(f"{LIST}{job.pk}/")

    assert "1 provisioner online can do it" in text_of(page)
    assert "for the machine of" not in text_of(admin.get(LIST))


def test_a_job_whose_machine_is_online_but_does_not_fit_says_what_it_needs_there(admin):
    job = make_bound_job()
    ProvisionerJob.objects.filter(pk=job.pk).update(tags={"gpu": "yes"})
    make_daemon(name="again", machine="m-1")
    make_daemon(name="fits", machine="m-2", tags={"gpu": "yes"})

    said = text_of(admin.get(f"{LIST}{job.pk}/"))

    assert "with the files of the workspace (m-1) can do it: it needs type local" in said


def test_a_job_costs_four_statements(admin, django_assert_max_num_queries):
    job = job_of(make_workspace())

    with django_assert_max_num_queries(2 + 4):
        admin.get(f"{LIST}{job.pk}/state")


def test_canceling_shows_what_comes_of_it_and_does_it():
    owner = make_user()
    job = job_of(make_workspace(owner, name="api"))
    client = client_of(owner)

    plan = client.get(f"{LIST}{job.pk}/cancel")
    answer = client.post(f"{LIST}{job.pk}/cancel", follow=True)

    assert "It leaves the queue at once. The workspace stays" in text_of(plan)
    assert "api: the job has left the queue." in text_of(answer)
    job.refresh_from_db()
    assert job.status == "canceled"
    assert AuditEntry.objects.get(action="cancel").actor == owner


def test_a_running_job_is_asked_to_stop_and_an_ended_one_refuses():
    owner = make_user()
    workspace = make_workspace(owner)
    job = acquire()
    client = client_of(owner)

    first = client.post(f"{LIST}{job.job_id}/cancel", follow=True)
    ProvisionerJob.objects.filter(pk=job.job_id).update(completed_at=timezone.now())
    second = client.post(f"{LIST}{job.job_id}/cancel", follow=True)

    assert "its provisioner is told to stop" in text_of(first)
    assert str(JobEnded()) in text_of(second)
    assert job_of(workspace).status == "canceled"


@pytest.mark.parametrize(("kind", "status"), [("auditor", 403), ("member", 404)])
def test_who_may_not_change_it_cannot_cancel_it(kind, status):
    job = job_of(make_workspace())

    assert visitor(kind).post(f"{LIST}{job.pk}/cancel").status_code == status
    job.refresh_from_db()
    assert job.status == "pending"


def test_the_plan_says_how_many_of_which_template(admin):
    make_pending_prebuilds(preset_of(make_template("python")), 2)
    make_pending_prebuilds(preset_of(make_template("golang")), 1)

    response = admin.get(CANCEL_PENDING)

    lines = [(line.text, line.subject) for line in response.context["plan"].lines]
    assert lines == [("cancel 1", "golang"), ("cancel 2", "python")]
    assert "3 starts of prebuilds" in text_of(response)


def test_emptying_cancels_prebuilds_and_nothing_else(admin):
    prebuilds, workspace = prebuilds_and_a_person()
    templates = admin.get(CANCEL_PENDING).context["templates"]

    answer = admin.post(CANCEL_PENDING, {"templates": templates, "pause": "1"}, follow=True)

    assert "2 waiting starts canceled." in text_of(answer)
    assert not Workspace.objects.filter(
        pk__in=[one.pk for one in prebuilds], deleted_at=None
    ).exists()
    assert job_of(workspace).status == "pending"
    until = PrebuildsSettings.objects.get().paused_until
    assert timedelta(minutes=59) < until - timezone.now() <= timedelta(hours=1)


def test_only_the_templates_that_were_listed_are_emptied(admin):
    listed, other = make_template("listed"), make_template("other")
    make_pending_prebuilds(preset_of(listed), 1)
    make_pending_prebuilds(preset_of(other), 1)
    templates = admin.get(f"{CANCEL_PENDING}?template={listed.pk}").context["templates"]

    admin.post(CANCEL_PENDING, {"templates": templates, "pause": ""})

    assert templates == str(listed.pk)
    assert not Workspace.objects.filter(template=listed, deleted_at=None).exists()
    assert Workspace.objects.filter(template=other, deleted_at=None).count() == 1
    assert not PrebuildsSettings.objects.filter(reconciliation_paused=True).exists()


def test_a_pause_that_holds_is_not_replaced(admin):
    make_pending_prebuilds(preset_of(make_template()), 1)
    pause()
    plan = admin.get(CANCEL_PENDING)

    admin.post(CANCEL_PENDING, {"templates": plan.context["templates"], "pause": "1"})

    assert "Reconciliation is paused, so nothing is made anew" in text_of(plan)
    assert PrebuildsSettings.objects.get().pause_reason == "upgrade"


def test_an_organization_admin_empties_but_does_not_pause():
    prebuilds, _ = prebuilds_and_a_person()
    client = visitor("organization admin")
    plan = client.get(CANCEL_PENDING)

    client.post(CANCEL_PENDING, {"templates": plan.context["templates"], "pause": "1"})

    assert 'name="pause"' not in plan.text
    assert not Workspace.objects.filter(
        pk__in=[one.pk for one in prebuilds], deleted_at=None
    ).exists()
    assert not PrebuildsSettings.objects.filter(reconciliation_paused=True).exists()


def test_an_empty_queue_has_nothing_to_cancel(admin):
    assert "nothing to cancel" in text_of(admin.get(CANCEL_PENDING))


@pytest.mark.parametrize("kind", ["auditor", "member", "user admin"])
def test_who_may_delete_no_prebuild_empties_nothing(kind):
    template = make_template()
    make_pending_prebuilds(preset_of(template), 1)
    client = visitor(kind)

    assert client.get(CANCEL_PENDING).status_code == 404
    assert client.post(CANCEL_PENDING, {"templates": str(template.pk)}).status_code == 404
    assert Workspace.objects.filter(template=template, deleted_at=None).count() == 1
