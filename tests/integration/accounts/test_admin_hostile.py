"""The admin answers addresses and forms that somebody wrote by hand; it does not break by them."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.enums import SiteRole
from accounts.models import Group, User
from tests.factories import default_organization, make_user

pytestmark = pytest.mark.django_db

NULL = "a\0b"
NO_IDS = (NULL, "x", "9" * 30)


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(make_user("olga", roles=[SiteRole.OWNER]))
    return client


def list_of(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


LISTS = [pytest.param(model, id=model.__name__) for model in admin.site._registry]


@pytest.mark.parametrize("model", LISTS)
def test_a_null_character_in_the_address_of_a_list_is_said(model: Any, owner: Client) -> None:
    page = admin.site.get_model_admin(model)
    filters = [each[0] if isinstance(each, tuple) else each for each in page.list_filter]
    names = [each for each in filters if isinstance(each, str)] + ["role", "status", "q"]

    for name in names:
        for asked in ({name: NULL}, {f"{name}__exact": NULL}):
            answer = owner.get(list_of(model), asked, follow=True)
            assert answer.status_code == 200
            assert "holds a null character" in answer.text


@pytest.mark.parametrize("model", LISTS)
def test_an_id_that_is_none_is_not_found(model: Any, owner: Client) -> None:
    for verb in ("change", "delete", "history"):
        answer = owner.get(f"{list_of(model)}%00/{verb}/")

        assert answer.status_code in {302, 403, 404}


@pytest.mark.parametrize("year", ["9999", "9" * 30, "0", "-1", "x"])
@pytest.mark.parametrize("model", LISTS)
def test_a_year_that_no_calendar_has_is_answered(model: Any, year: str, owner: Client) -> None:
    day = admin.site.get_model_admin(model).date_hierarchy or "at"

    assert owner.get(list_of(model), {f"{day}__year": year}, follow=True).status_code == 200


@pytest.mark.parametrize("chosen", NO_IDS)
def test_an_action_for_what_is_no_row_does_nothing_and_says_so(chosen: str, owner: Client) -> None:
    ana = make_user("ana")
    sent = {"action": "delete_selected", "_selected_action": [str(ana.pk), chosen], "index": "0"}

    answer = owner.post(list_of(User), sent, follow=True)

    assert "Nothing was done" in answer.text
    assert User.objects.filter(pk=ana.pk).exists()


@pytest.mark.parametrize("chosen", NO_IDS)
@pytest.mark.parametrize("name", ["membership", "groupmembership"])
def test_a_person_chosen_by_no_id_is_an_error_at_the_field(
    name: str, chosen: str, owner: Client
) -> None:
    Group.objects.create(organization=default_organization(), name="eng")

    answer = owner.post(reverse(f"admin:accounts_{name}_add"), {"user": chosen, "group": chosen})

    assert answer.status_code == 200
    assert "user" in answer.context["adminform"].form.errors


def test_the_words_of_an_autocompletion_may_hold_a_null_character(owner: Client) -> None:
    about = {"app_label": "accounts", "model_name": "membership", "field_name": "user"}

    answer = owner.get(reverse("admin:autocomplete"), {**about, "term": NULL})

    assert answer.json()["results"] == []
