"""Workspaces over the API: create (which claims), list, get, build (semantics.md 14, 18)."""

import gc
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Token, User
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests.api.conftest import bearer, session_of, token_of
from tests.api.shape import assert_error
from tests.factories import (
    NOON,
    claim_prebuild,
    default_organization,
    finish_all_jobs,
    make_organization,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from workspaces.models import Agent, ProvisionerJob, Workspace, WorkspaceBuild, WorkspaceResource

pytestmark = pytest.mark.django_db

LIST = "/api/v2/workspaces"
SIZE = ParameterDefinition(name="size", type="string", options=("s", "m"), default="s")


def create(client, template, *, user="me", organization=None, **body):
    where = organization or template.organization_id
    return client.post(
        f"/api/v2/organizations/{where}/members/{user}/workspaces",
        {"template_id": str(template.pk), "name": "mine", **body},
        content_type="application/json",
    )


def build(client, workspace, transition="stop"):
    return client.post(
        f"{LIST}/{workspace.pk}/builds",
        {"transition": transition},
        content_type="application/json",
    )


def built_workspace(owner=None, **fields) -> Workspace:
    workspace = make_workspace(owner, **fields)
    finish_all_jobs()
    return workspace


def test_the_rows_of_a_list_are_freed_without_the_garbage_collector():
    owner = make_user(roles=["owner"])
    for number in range(3):
        built_workspace(owner, name=f"w{number}")
    client = token_of(owner)
    rows = {Workspace, WorkspaceBuild, ProvisionerJob, WorkspaceResource, Agent}

    def alive() -> int:
        return sum(type(one) in rows for one in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        assert client.get(LIST).json()["count"] == 3
        left = alive() - before
    finally:
        gc.enable()

    assert left == 0


WORKSPACE_FIELDS = {
    "id",
    "name",
    "owner_id",
    "owner_name",
    "organization_id",
    "organization_name",
    "template_id",
    "template_name",
    "template_display_name",
    "template_icon",
    "template_active_version_id",
    "outdated",
    "created_at",
    "updated_at",
    "last_used_at",
    "is_prebuild",
    "ttl_ms",
    "autostart_schedule",
    "next_start_at",
    "dormant_at",
    "deleting_at",
    "automatic_updates",
    "health",
    "latest_build",
    "claim",
}
BUILD_FIELDS = {
    "id",
    "workspace_id",
    "workspace_name",
    "workspace_owner_id",
    "workspace_owner_name",
    "build_number",
    "transition",
    "status",
    "stage",
    "reason",
    "template_version_id",
    "template_version_name",
    "template_version_preset_id",
    "initiator_id",
    "initiator_name",
    "created_at",
    "updated_at",
    "deadline",
    "max_deadline",
    "daily_cost",
    "job",
    "resources",
}


def test_a_ready_prebuild_is_handed_over():
    user, template = make_user("dana"), make_template()
    (prebuild,) = make_ready_prebuilds(preset_of(template), 1)

    response = create(
        session_of(user), template, template_version_preset_id=str(preset_of(template).pk)
    )

    assert response.status_code == 201
    body = response.json()
    assert set(body) == {*WORKSPACE_FIELDS, "outlook"}
    assert set(body["latest_build"]) == BUILD_FIELDS
    assert body["id"] == str(prebuild.pk)
    assert (body["name"], body["owner_id"], body["owner_name"]) == ("mine", str(user.pk), "dana")
    assert body["is_prebuild"] is False
    assert body["claim"] == {"outcome": "warm", "reason": "warm"}
    assert body["latest_build"]["stage"] == "prebuild_claim"
    assert body["latest_build"]["build_number"] == 2
    assert body["latest_build"]["initiator_id"] == str(user.pk)
    assert body["latest_build"]["job"]["status"] == "pending"


COLD = [(True, "pool_empty"), (False, "no_preset_match")]


@pytest.mark.parametrize(("with_preset", "reason"), COLD)
def test_without_a_ready_one_a_workspace_is_built(with_preset, reason):
    preset = PresetSpec(name="Small", desired_instances=2, parameters={"size": "m"})
    template = make_template(definitions=[SIZE], presets=[preset])
    preset_id = str(preset_of(template).pk) if with_preset else None

    response = create(session_of(make_user()), template, template_version_preset_id=preset_id)

    assert response.status_code == 201
    body = response.json()
    assert body["claim"] == {"outcome": "cold", "reason": reason}
    assert (body["latest_build"]["build_number"], body["latest_build"]["stage"]) == (1, "none")
    assert body["latest_build"]["template_version_preset_id"] == preset_id


@pytest.mark.parametrize("ready", [1, 0], ids=["warm", "cold"])
def test_the_answer_to_a_claim_says_what_reading_the_workspace_says(ready):
    """It is made of what the claim wrote and not read again, so it must not say anything else."""
    preset = PresetSpec(name="Small", desired_instances=2, parameters={"size": "m"})
    template = make_template(definitions=[SIZE], presets=[preset])
    if ready:
        make_ready_prebuilds(preset_of(template), ready)
    client = session_of(make_user("dana"))

    told = create(
        client,
        template,
        template_version_preset_id=str(preset_of(template).pk),
        ttl_ms=3_600_000,
        autostart_schedule="CRON_TZ=Europe/Berlin 30 9 * * 1-5",
        automatic_updates="always",
    ).json()

    del told["outlook"]
    assert told["claim"]["outcome"] == ("warm" if ready else "cold")
    assert told == client.get(f"{LIST}/{told['id']}").json()


def test_a_claim_takes_few_statements_beside_the_services_own(django_assert_num_queries):
    template = make_template(presets=[PresetSpec(name="Small", desired_instances=3)])
    user, preset = make_user(), preset_of(template)
    assert len(make_ready_prebuilds(preset, 3)) == 3
    client, words = token_of(user), {"template_version_preset_id": str(preset.pk)}
    create(client, template, **words, name="first")  # the use of a token is noted once a minute
    assert preset.version.template == template  # read now
    with CaptureQueriesContext(connection) as own:
        claim_prebuild(preset, user)

    # Token, organization, memberships, template; and that it was asked for through the API.
    with django_assert_num_queries(len(own) + 5):
        create(client, template, **words, name="third")


def test_a_token_does_what_a_session_does():
    response = create(token_of(make_user()), make_template())

    assert response.status_code == 201


def test_somebody_is_named_by_their_username_whatever_its_case():
    user = make_user("dana")

    response = create(session_of(user), make_template(), user="DANA")

    assert response.json()["owner_id"] == str(user.pk)


def test_parameters_are_used():
    template = make_template(definitions=[SIZE], presets=[])
    values = [{"name": "size", "value": "m"}]

    response = create(session_of(make_user()), template, rich_parameter_values=values)

    assert response.status_code == 201
    assert WorkspaceBuild.objects.get().parameters.get().value == "m"


def test_a_second_workspace_of_that_name_is_409_and_changes_nothing():
    user, template = make_user(), make_template()
    client = session_of(user)
    create(client, template)

    response = create(client, template, name="MINE")

    assert_error(response, 409, message='named "MINE"')
    assert Workspace.objects.count() == 1


BAD = [
    ({"name": ""}, ["name"]),
    ({"name": "a" * 65}, ["name"]),
    ({"template_id": "seven"}, ["template_id"]),
    ({"template_version_preset_id": "seven"}, ["template_version_preset_id"]),
    ({"rich_parameter_values": [{"value": "m"}]}, ["rich_parameter_values.0.name"]),
    (
        {"rich_parameter_values": [{"name": "sise", "value": "m"}]},
        ["rich_parameter_values.sise"],
    ),
    (
        {"rich_parameter_values": [{"name": "size", "value": "xl"}]},
        ["rich_parameter_values.size"],
    ),
]


@pytest.mark.parametrize(("change", "fields"), BAD)
def test_bad_input_is_400_with_the_field_named(change, fields):
    template = make_template(definitions=[SIZE])

    response = create(session_of(make_user()), template, **change)

    assert_error(response, 400, fields=fields)
    assert not Workspace.objects.exists()


@pytest.mark.parametrize("name", ["-mine", "my--own", "my own", "a" * 33])
def test_a_name_that_cannot_be_is_400(name):
    response = create(session_of(make_user()), make_template(), name=name)

    assert_error(response, 400, message="cannot be a workspace name")


def test_a_preset_of_another_template_is_400():
    other = preset_of(make_template())

    response = create(
        session_of(make_user()), make_template(), template_version_preset_id=str(other.pk)
    )

    assert_error(response, 400, message="preset")


def test_a_deprecated_template_is_400():
    template = make_template(fields={"deprecation_message": "Use the other one."})

    assert_error(create(session_of(make_user()), template), 400, message="deprecated")


def test_an_unknown_template_and_an_unknown_organization_are_404():
    client, template = session_of(make_user(roles=["owner"])), make_template()

    assert_error(create(client, template, template_id=str(uuid4())), 404)
    assert_error(create(client, template, organization=uuid4()), 404)


def test_a_template_of_another_organization_is_404():
    template = make_template(organization=make_organization())

    response = create(session_of(make_user()), template, organization=default_organization().pk)

    assert_error(response, 404)


def test_a_stranger_to_the_organization_gets_404():
    organization = make_organization()
    template = make_template(organization=organization)

    assert_error(create(session_of(make_user()), template), 404)


def test_a_person_one_may_not_know_of_is_404():
    make_user("ben")

    assert_error(create(session_of(make_user()), make_template(), user="ben"), 404)


def test_the_prebuilds_user_gets_no_workspace():
    owner = session_of(make_user(roles=["owner"]))

    assert_error(create(owner, make_template(), user="prebuilds"), 404)


def test_who_may_see_a_person_but_not_build_for_them_gets_403():
    make_user("ben")
    template_admin = session_of(make_user(roles=["template-admin"]))

    assert_error(create(template_admin, make_template(), user="ben"), 403)


def test_an_owner_may_build_for_somebody():
    ben = make_user("ben")

    response = create(session_of(make_user(roles=["owner"])), make_template(), user="ben")

    assert response.status_code == 201
    assert response.json()["owner_id"] == str(ben.pk)


def test_the_list_shows_ones_own_and_counts_them():
    user = make_user()
    built_workspace(user, name="first")
    built_workspace(user, name="second")
    built_workspace(make_user())

    response = session_of(user).get(LIST)

    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"workspaces", "count"}
    assert body["count"] == 2
    assert [each["name"] for each in body["workspaces"]] == ["second", "first"]
    assert all(set(each) == WORKSPACE_FIELDS for each in body["workspaces"])


SEES = [
    # roles, organization roles; sees a prebuild, sees another person's workspace
    ([], [], False),
    (["user-admin"], [], False),
    (["owner"], [], True),
    (["template-admin"], [], True),
    (["auditor"], [], True),
    ([], ["organization-admin"], True),
    ([], ["organization-template-admin"], True),
    ([], ["organization-auditor"], True),
]


@pytest.mark.parametrize(("roles", "organization_roles", "sees"), SEES)
def test_who_sees_other_peoples_workspaces_and_prebuilds(roles, organization_roles, sees):
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)
    persons = built_workspace()
    client = session_of(make_user(roles=roles, organization_roles=organization_roles))

    for workspace in (prebuild, persons):
        status = client.get(f"{LIST}/{workspace.pk}").status_code
        assert status == (200 if sees else 404)
    assert client.get(LIST).json()["count"] == (2 if sees else 0)


def test_an_admin_of_another_organization_sees_nothing():
    workspace = built_workspace()
    client = session_of(
        make_user(organization=make_organization(), organization_roles=["organization-admin"])
    )

    assert client.get(LIST).json() == {"workspaces": [], "count": 0}
    assert_error(client.get(f"{LIST}/{workspace.pk}"), 404)
    assert_error(build(client, workspace, "delete"), 404)


def test_one_workspace_has_the_same_shape_as_in_the_list():
    user = make_user()
    workspace = built_workspace(user)
    client = session_of(user)

    body = client.get(f"{LIST}/{workspace.pk}").json()

    assert body == client.get(LIST).json()["workspaces"][0]
    assert set(body) == WORKSPACE_FIELDS


def test_a_deleted_workspace_is_404():
    user = make_user()
    workspace = built_workspace(user)
    Workspace.objects.update(deleted_at=NOON)

    assert_error(session_of(user).get(f"{LIST}/{workspace.pk}"), 404)


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/builds"])
def test_reading_costs_the_same_number_of_statements_whatever_there_is(path):
    user = make_user()
    workspace = built_workspace(user)
    client, path = session_of(user), LIST + path.format(id=workspace.pk)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    few = statements()
    for _ in range(3):
        built_workspace(user)
        build(client, workspace, "start")
        finish_all_jobs()

    assert statements() == few <= 9


def test_builds_are_listed_newest_first():
    user = make_user()
    workspace = built_workspace(user)
    client = session_of(user)
    build(client, workspace, "stop")

    response = client.get(f"{LIST}/{workspace.pk}/builds")

    assert response.status_code == 200
    assert [each["build_number"] for each in response.json()] == [2, 1]
    assert all(set(each) == BUILD_FIELDS for each in response.json())


@pytest.mark.parametrize("transition", ["start", "stop", "delete"])
def test_a_build_can_be_asked_for(transition):
    user = make_user()
    workspace = built_workspace(user)

    response = build(session_of(user), workspace, transition)

    assert response.status_code == 201
    body = response.json()
    assert (body["build_number"], body["transition"]) == (2, transition)
    assert (body["initiator_id"], body["job"]["status"]) == (str(user.pk), "pending")


def test_a_build_beside_an_unfinished_one_is_409():
    user = make_user()
    workspace = make_workspace(user)

    assert_error(build(session_of(user), workspace), 409, message="unfinished build")


def test_an_unknown_transition_is_400():
    user = make_user()
    workspace = built_workspace(user)

    assert_error(build(session_of(user), workspace, "restart"), 400, fields=["transition"])


MAY_BUILD = [
    # roles, organization roles; a prebuild: stop, delete; a person's workspace: stop, delete
    (["owner"], [], 201, 201, 201, 201),
    (["template-admin"], [], 403, 201, 403, 403),
    (["auditor"], [], 403, 403, 403, 403),
    (["user-admin"], [], 404, 404, 404, 404),
    ([], ["organization-admin"], 201, 201, 201, 201),
    ([], ["organization-template-admin"], 403, 201, 403, 403),
    ([], ["organization-auditor"], 403, 403, 403, 403),
    ([], [], 404, 404, 404, 404),
]


@pytest.mark.parametrize("row", MAY_BUILD, ids=lambda row: "+".join([*row[0], *row[1]]) or "member")
def test_who_may_build_what_is_not_theirs(row):
    roles, organization_roles, *expected = row
    (prebuild,) = make_ready_prebuilds(preset_of(make_template()), 1)
    persons = built_workspace()
    client = session_of(make_user(roles=roles, organization_roles=organization_roles))

    found = []
    for workspace in (prebuild, persons):
        for transition in ("stop", "delete"):
            found.append(build(client, workspace, transition).status_code)
            finish_all_jobs()

    assert found == expected


CALLS = {
    "list": lambda client, workspace: client.get(LIST),
    "get": lambda client, workspace: client.get(f"{LIST}/{workspace.pk}"),
    "builds": lambda client, workspace: client.get(f"{LIST}/{workspace.pk}/builds"),
    "build": build,
    "create": lambda client, workspace: create(client, workspace.template),
}


def expired_token(user):
    client = token_of(user)
    Token.objects.update(expires_at=NOON)
    return client


def revoked_token(user):
    client = token_of(user)
    Token.objects.update(revoked_at=NOON)
    return client


def token_of_an_inactive_user(user):
    client = token_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    return client


def session_of_an_inactive_user(user):
    client = session_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    return client


UNKNOWN = [
    lambda _: Client(),
    lambda _: bearer("wrong"),
    expired_token,
    revoked_token,
    token_of_an_inactive_user,
    session_of_an_inactive_user,
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "caller",
    UNKNOWN,
    ids=["nobody", "wrong token", "expired", "revoked", "inactive token", "inactive session"],
)
def test_who_is_not_known_gets_401(call, caller):
    user = make_user()
    workspace = built_workspace(user)

    response = CALLS[call](caller(user), workspace)

    assert_error(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_needs_the_csrf_token_to_change_anything():
    user = make_user()
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)

    assert_error(create(client, make_template()), 403)


@pytest.mark.parametrize("call", ["build", "create"])
def test_a_token_for_reading_changes_nothing(call):
    user = make_user()
    workspace = built_workspace(user)
    client = token_of(user)
    Token.objects.update(scope="read")

    assert client.get(LIST).status_code == 200
    assert_error(CALLS[call](client, workspace), 403)


def test_a_preset_that_keeps_no_pool_says_so():
    template = make_template(presets=[PresetSpec(name="Small")])
    preset_id = str(preset_of(template).pk)

    response = create(session_of(make_user()), template, template_version_preset_id=preset_id)

    assert response.json()["claim"] == {"outcome": "cold", "reason": "no_pool"}
