"""What can be done to a template: shown as a plan, done by a POST, said as it really was."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from prebuilds import reconciler
from prebuilds.conf import current_policy
from prebuilds.core.actions import CreatePrebuilds, DeletePrebuild
from templates_app.models import Preset, Template, TemplateVersion
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec, create_version
from tests.factories import make_ready_prebuilds, make_template, pause
from tests.integration.prebuilds.dashboard.house import House, add_workspace
from tests.integration.prebuilds.dashboard.visitors import text_of, visitor
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

FRAGMENT = {"HX-Request": "true"}
SIZE = ParameterDefinition(name="size", type="string", required=True)


def url_of(template: Template, rest: str = "") -> str:
    return f"/templates/{template.pk}/{rest}"


def next_version(template: Template, *presets: PresetSpec, **fields) -> TemplateVersion:
    return create_version(
        template=template,
        created_by=template.active_version.created_by,
        spec=VersionSpec(name="2.0.0", presets=presets, **fields),
        check_presets=False,
    )


def promotion_of(version: TemplateVersion) -> str:
    return url_of(version.template, f"versions/{version.pk}/promote")


def work_of_the_next_cycle() -> tuple[int, int]:
    """Return how many prebuilds a cycle would delete and create now."""
    decisions = reconciler.plan_cycle(policy=current_policy(), now=timezone.now())
    actions = [action for one in decisions for action in one.actions]
    return (
        sum(isinstance(action, DeletePrebuild) for action in actions),
        sum(action.count for action in actions if isinstance(action, CreatePrebuilds)),
    )


def said(client: Client) -> str:
    return text_of(client.get("/templates/"))


def test_promoting_shows_what_is_deleted_and_built_and_a_cycle_keeps_its_word(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)
    add_workspace(house.preset)
    version = next_version(house.template, PresetSpec(name="Small", desired_instances=3))

    plan = text_of(admin_client.get(promotion_of(version)))
    before = Template.objects.get().active_version.name
    response = admin_client.post(promotion_of(version))

    assert "use 2.0.0 instead of v1" in plan
    assert "The next cycle will delete 2 prebuilds and build 3 prebuilds." in plan
    assert 'delete 2</span> <span class="text-break">of other versions' in plan
    assert (before, Template.objects.get().active_version) == ("v1", version)
    assert response["Location"] == url_of(house.template)
    assert work_of_the_next_cycle() == (2, 3)
    assert "2.0.0 is the active version of Python service." in said(admin_client)
    entry = AuditEntry.objects.get(action="promote")
    assert (entry.actor, entry.source) == (house.admin, "page")


def test_presets_that_would_fail_are_named_before_and_after(
    admin_client: Client, house: House
) -> None:
    version = next_version(
        house.template, PresetSpec(name="Broken", desired_instances=1), definitions=[SIZE]
    )

    plan = text_of(admin_client.get(promotion_of(version)))
    admin_client.post(promotion_of(version))

    assert "1 preset would fail: nothing is built of it." in plan
    assert "Broken: size: a value is required" in plan
    assert "build 1" not in plan
    assert "Nothing is built of “Broken” until the values are mended." in said(admin_client)


def test_the_active_version_cannot_be_promoted_again(admin_client: Client, house: House) -> None:
    plan = admin_client.get(promotion_of(house.template.active_version))

    assert "v1 is the active version already." in plan.text
    assert ">Promote</button>" not in plan.text


def test_a_version_of_another_template_is_not_found(admin_client: Client, house: House) -> None:
    other = make_template().active_version

    address = url_of(house.template, f"versions/{other.pk}/")

    assert admin_client.get(address).status_code == 404
    assert admin_client.post(f"{address}promote").status_code == 404
    assert Template.objects.get(pk=house.template.pk).active_version.name == "v1"


def test_a_plan_is_a_dialog_for_htmx(admin_client: Client, house: House) -> None:
    version = next_version(house.template)

    for address in (
        promotion_of(version),
        *(url_of(house.template, rest) for rest in ("delete", "deprecate", "invalidate")),
    ):
        dialog = admin_client.get(address, headers=FRAGMENT)
        assert "<html" not in dialog.text
        assert 'id="dialog-title"' in dialog.text


def test_invalidating_expires_every_prebuild_of_the_active_version(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset)

    plan = text_of(admin_client.get(url_of(house.template, "invalidate")))
    untouched = Preset.objects.get().last_invalidated_at
    admin_client.post(url_of(house.template, "invalidate"))

    assert "The next cycle will delete 1 prebuild and build 2 prebuilds." in plan
    assert untouched is None
    assert work_of_the_next_cycle() == (1, 2)
    assert "every prebuild made before now is expired, in 1 preset" in said(admin_client)


def test_a_deprecation_needs_its_message(admin_client: Client, house: House) -> None:
    response = admin_client.post(url_of(house.template, "deprecate"), {"message": " "})

    assert response.status_code == 422
    assert "Say what people should use instead" in response.text
    assert not Template.objects.get().deprecation_message


def test_a_deprecation_drains_and_can_be_taken_back(admin_client: Client, house: House) -> None:
    add_workspace(house.preset)
    address = url_of(house.template, "deprecate")

    plan = text_of(admin_client.get(address))
    admin_client.post(address, {"message": "Use python-2."})
    drained = work_of_the_next_cycle()
    page = text_of(admin_client.get(url_of(house.template)))
    back = text_of(admin_client.get(url_of(house.template, "revive")))
    admin_client.post(url_of(house.template, "revive"))

    assert "The next cycle will delete 1 prebuild." in plan
    assert drained == (1, 0)
    assert "Use python-2." in page
    assert "Take back deprecation" in page
    assert "2 prebuilds desired in 1 pool of v1" in back
    assert work_of_the_next_cycle() == (0, 1)
    assert not Template.objects.get().deprecation_message
    assert [one.action for one in AuditEntry.objects.order_by("id")] == ["deprecate", "revive"]


def test_what_is_not_deprecated_has_nothing_to_take_back(
    admin_client: Client, house: House
) -> None:
    plan = admin_client.get(url_of(house.template, "revive"))

    assert "It is not deprecated." in plan.text


def test_a_template_that_people_use_is_not_deleted_and_the_plan_says_how_many(
    admin_client: Client, house: House
) -> None:
    add_workspace(house.preset, owner_id=house.member.pk, name="mine")

    plan = text_of(admin_client.get(url_of(house.template, "delete")))
    admin_client.post(url_of(house.template, "delete"))

    assert "People have 1 workspace made from this template." in plan
    assert "Show its workspaces" in plan
    assert ">Delete</button>" not in plan
    assert Template.objects.get().deleted_at is None
    assert "People have 1 workspace made from this template." in said(admin_client)


def test_a_deleted_template_drains_and_stays_as_it_is(admin_client: Client, house: House) -> None:
    make_ready_prebuilds(house.preset, 2)

    plan = text_of(admin_client.get(url_of(house.template, "delete")))
    response = admin_client.post(url_of(house.template, "delete"))

    assert "The next cycle will delete 2 prebuilds." in plan
    assert Template.objects.get().deleted_at is not None
    assert work_of_the_next_cycle() == (2, 0)
    assert "0 of 2 gone" in text_of(admin_client.get(response["Location"]))
    again = admin_client.get(url_of(house.template, "deprecate"))
    assert "This template was deleted" in again.text
    admin_client.post(url_of(house.template, "deprecate"), {"message": "late"})
    assert not Template.objects.get().deprecation_message
    assert "This template was deleted" in said(admin_client)
    for rest in ("settings", "versions/new"):
        assert admin_client.get(url_of(house.template, rest)).status_code == 404


def test_while_paused_every_plan_says_that_it_waits(admin_client: Client, house: House) -> None:
    add_workspace(house.preset)
    version = next_version(house.template, PresetSpec(name="Small", desired_instances=3))
    pause()

    for address in (promotion_of(version), url_of(house.template, "delete")):
        assert "Reconciliation is paused, so that waits" in text_of(admin_client.get(address))


@pytest.mark.parametrize("kind", ["auditor", "member"])
@pytest.mark.parametrize("rest", ["invalidate", "deprecate", "revive", "delete", "settings"])
def test_who_may_only_read_changes_nothing(house: House, kind: str, rest: str) -> None:
    client = visitor(kind)

    assert client.get(url_of(house.template, rest)).status_code == 403
    assert client.post(url_of(house.template, rest), {"message": "x"}).status_code == 403
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("kind", ["owner", "template admin", "organization admin"])
def test_template_admins_of_every_kind_may_promote_and_delete(house: House, kind: str) -> None:
    client = visitor(kind)
    version = next_version(house.template)

    client.post(promotion_of(version))
    client.post(url_of(house.template, "delete"))

    template = Template.objects.get()
    assert template.active_version == version
    assert template.deleted_at is not None


def test_a_plan_costs_the_same_however_many_presets_there_are(
    admin_client: Client, house: House, django_assert_max_num_queries
) -> None:
    presets = [PresetSpec(name=f"P{number}", desired_instances=1) for number in range(20)]
    version = next_version(house.template, *presets)

    with django_assert_max_num_queries(20):
        admin_client.get(promotion_of(version))
    with django_assert_max_num_queries(14):
        admin_client.get(url_of(house.template, "delete"))
    assert not Workspace.objects.exists()
