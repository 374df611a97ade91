"""What every endpoint shares: how input is read, pages, tokens' scopes."""

import pytest

from accounts import services
from accounts.enums import TokenScope
from tests.api.conftest import bearer, session_of
from tests.api.shape import assert_error
from tests.factories import (
    NOON,
    finish_all_jobs,
    make_ready_prebuilds,
    make_template,
    make_user,
    preset_of,
)
from tests.factories import make_workspace as make_one
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db

LIST = "/api/v2/workspaces"


@pytest.fixture
def ana():
    return make_user("ana")


def create_path(template):
    return f"/api/v2/organizations/{template.organization_id}/members/me/workspaces"


def post(client, template, body, **kwargs):
    return client.post(create_path(template), body, content_type="application/json", **kwargs)


def problem(response):
    """Return what is said of the only field at fault."""
    (one,) = response.json()["validations"]
    return one["detail"]


def scoped(user, scope):
    _, secret = services.create_token(
        user=user, name=f"a-{scope}", scope=scope, expires_at=None, now=NOON
    )
    return bearer(secret)


class TestBodies:
    def test_an_unknown_field_is_refused_with_the_one_that_was_meant(self, ana):
        template = make_template()

        response = post(
            session_of(ana),
            template,
            {"template_id": str(template.pk), "name": "mine", "template_version_presetid": "x"},
        )

        assert_error(response, 400, fields=["template_version_presetid"])
        assert 'Did you mean "template_version_preset_id"?' in problem(response)
        assert not Workspace.objects.exists()

    def test_an_unknown_field_inside_a_list_is_refused_too(self, ana):
        template = make_template()
        values = [{"name": "a", "value": "b", "vallue": "c"}]

        response = post(
            session_of(ana),
            template,
            {"template_id": str(template.pk), "name": "m", "rich_parameter_values": values},
        )

        assert_error(response, 400, fields=["rich_parameter_values.0.vallue"])

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("{", "not JSON"),
            ('{"name": NaN}', "NaN is not a JSON number"),
            ('{"name": "\\ud800"}', "half a surrogate pair"),
            ('{"\\udfff": 1}', "half a surrogate pair"),
            ("[" * 40 + "]" * 40, "nested deeper than 32"),
            ("[" * 100_000, "nested too deeply"),
            (b"\xff\xfe", "not JSON"),
        ],
        ids=["cut off", "NaN", "surrogate", "surrogate name", "deep", "very deep", "not UTF-8"],
    )
    def test_what_is_no_proper_json_is_refused_in_words(self, ana, body, words):
        response = post(session_of(ana), make_template(), body)

        assert_error(response, 400)
        assert words in response.json()["message"]

    @pytest.mark.parametrize("body", ["[]", '"text"', "7", "null"])
    def test_a_body_that_is_no_object_is_refused(self, ana, body):
        response = post(session_of(ana), make_template(), body)

        assert_error(response, 400, fields=["non_field_errors"])

    @pytest.mark.parametrize("name", [7, True, ["mine"], {"a": 1}, 1.5])
    def test_what_is_no_text_is_refused_where_a_text_is_due(self, ana, name):
        template = make_template()

        response = post(session_of(ana), template, {"template_id": str(template.pk), "name": name})

        assert_error(response, 400, fields=["name"])

    def test_a_number_in_a_nested_text_is_refused_too(self, ana):
        template = make_template()
        values = [{"name": "a", "value": 7}]

        response = post(
            session_of(ana),
            template,
            {"template_id": str(template.pk), "name": "m", "rich_parameter_values": values},
        )

        assert_error(response, 400, fields=["rich_parameter_values.0.value"])

    def test_a_nul_in_a_text_is_refused_with_its_field(self, ana):
        template = make_template()

        response = post(
            session_of(ana), template, {"template_id": str(template.pk), "name": "a\x00b"}
        )

        assert_error(response, 400, fields=["name"])

    def test_a_body_that_is_too_large_is_refused_unread(self, ana, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

        response = post(session_of(ana), make_template(), {"name": "x" * 200})

        assert_error(response, 413)
        assert "larger than 100 bytes" in response.json()["message"]

    def test_another_content_type_is_refused(self, ana):
        response = session_of(ana).post(create_path(make_template()), {"name": "mine"})

        assert_error(response, 415)

    def test_a_request_without_template_says_which_fields_name_one(self, ana):
        response = post(session_of(ana), make_template(), {"name": "mine"})

        assert_error(response, 400, fields=["template_id"])
        assert "template_version_id" in problem(response)


class TestPages:
    @pytest.fixture
    def three(self, ana):
        for number in range(3):
            make_one(ana, name=f"mine-{number}")
        finish_all_jobs()

    def test_a_page_carries_the_total_and_links_to_its_neighbours(self, ana, three):
        response = session_of(ana).get(f"{LIST}?limit=1&offset=1")

        assert len(response.json()["workspaces"]) == 1
        assert response.json()["count"] == 3
        assert response["X-Total-Count"] == "3"
        assert 'offset=2>; rel="next"' in response["Link"]
        assert 'offset=0>; rel="prev"' in response["Link"]

    def test_the_pages_together_are_the_list(self, ana, three):
        client = session_of(ana)

        pages = [
            client.get(f"{LIST}?limit=1&offset={n}").json()["workspaces"][0]["id"] for n in range(3)
        ]

        assert pages == [one["id"] for one in client.get(LIST).json()["workspaces"]]
        assert len(set(pages)) == 3

    def test_the_only_page_has_no_links(self, ana, three):
        assert "Link" not in session_of(ana).get(LIST)

    def test_beyond_the_end_is_an_empty_page(self, ana, three):
        body = session_of(ana).get(f"{LIST}?offset=100").json()

        assert body == {"workspaces": [], "count": 3}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=ten", "limit"),
            ("offset=-1", "offset"),
            ("offset=9999999999999999999999", "offset"),
            ("limits=5", "limits"),
        ],
    )
    def test_a_bad_page_is_refused_with_its_field(self, ana, query, field):
        response = session_of(ana).get(f"{LIST}?{query}")

        assert_error(response, 400, fields=[field])


class TestScopes:
    @pytest.mark.parametrize("scope", TokenScope)
    def test_every_token_may_read(self, ana, scope):
        assert scoped(ana, scope).get(LIST).status_code == 200

    @pytest.mark.parametrize(
        ("scope", "status"),
        [(TokenScope.READ, 403), (TokenScope.USE, 201), (TokenScope.MANAGE, 201)],
    )
    def test_making_a_workspace_takes_a_token_to_use(self, ana, scope, status):
        template = make_template()

        response = post(
            scoped(ana, scope), template, {"template_id": str(template.pk), "name": "mine"}
        )

        assert response.status_code == status
        if status == 403:
            assert_error(response, 403)
            assert response.json()["message"] == (
                "This needs a token of the scope use; this one has read."
            )


class TestIdempotency:
    def test_the_same_key_sent_twice_gives_the_same_workspace_both_times(self, ana):
        template = make_template()
        make_ready_prebuilds(preset_of(template), 1, now=NOON)
        body = {"template_id": str(template.pk), "name": "mine"}
        client = session_of(ana)

        first, second = (
            post(client, template, body, headers={"Idempotency-Key": "once"}) for _ in range(2)
        )

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert first.json()["claim"] == {"outcome": "warm", "reason": "warm"}

    def test_the_same_key_with_another_body_is_a_conflict(self, ana):
        template = make_template()
        client, headers = session_of(ana), {"Idempotency-Key": "once"}
        post(client, template, {"template_id": str(template.pk), "name": "a"}, headers=headers)

        response = post(
            client, template, {"template_id": str(template.pk), "name": "b"}, headers=headers
        )

        assert_error(response, 409)

    @pytest.mark.parametrize("key", ["x" * 256, "a\tb"], ids=["long", "tab"])
    def test_a_key_that_cannot_be_kept_is_refused(self, ana, key):
        template = make_template()

        response = post(
            session_of(ana),
            template,
            {"template_id": str(template.pk), "name": "mine"},
            headers={"Idempotency-Key": key},
        )

        assert_error(response, 400, fields=["Idempotency-Key"])


def test_an_empty_pool_says_what_is_on_its_way(ana):
    template = make_template()

    body = post(session_of(ana), template, {"template_id": str(template.pk), "name": "mine"}).json()

    assert body["claim"] == {"outcome": "cold", "reason": "pool_empty"}
    assert body["outlook"] == {"being_built": 0, "usual_build_seconds": None}


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_a_path_that_is_none_answers_in_the_one_shape(ana, method):
    response = getattr(session_of(ana), method)("/api/v2/nothing/here")

    assert_error(response, 404)
