"""Whose pool serves a request that names no preset, and which value it gets (semantics.md 14)."""

from datetime import timedelta

import pytest

from prebuilds import claims
from prebuilds.models import Claim
from templates_app import services as template_services
from templates_app.errors import VersionNotOfTemplate
from templates_app.models import Preset
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from workspaces.enums import LifecycleState
from workspaces.models import Agent

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=5)
REGION = ParameterDefinition(name="region", type="string", default="eu", options=("eu", "us"))
SIZE = ParameterDefinition(name="size", type="string", default="s", options=("s", "m"))


@pytest.fixture
def ana():
    return factories.make_user("ana")


def template_with(*presets: PresetSpec):
    return factories.make_template(presets=presets, definitions=(REGION, SIZE))


def pool(name, *, desired=1, is_default=False, **parameters):
    return PresetSpec(
        name=name, desired_instances=desired, is_default=is_default, parameters=parameters
    )


def ready(template, name):
    (prebuild,) = factories.make_ready_prebuilds(factories.preset_of(template, name), 1, now=NOON)
    return prebuild


def ask(owner, template, *, name="mine", version=None, **parameters):
    return claims.claim_or_create_workspace(
        owner=owner,
        template=template,
        preset_id=None,
        name=name,
        parameters=parameters,
        now=LATER,
        options=claims.Options(template_version_id=version),
    )


def preset_name(result):
    return Preset.objects.get(pk=result.preset_id).name if result.preset_id else None


def test_the_preset_with_most_matching_parameters_serves(ana):
    template = template_with(
        pool("Any"), pool("Region", region="us"), pool("Both", region="us", size="m")
    )
    for name in ("Any", "Region"):
        ready(template, name)
    both = ready(template, "Both")

    result = ask(ana, template, region="us", size="m")

    assert (result.outcome, preset_name(result)) == ("warm", "Both")
    assert result.workspace.pk == both.pk


def test_a_preset_with_another_value_never_serves(ana):
    template = template_with(pool("Us", region="us"))
    ready(template, "Us")

    result = ask(ana, template, region="eu")

    assert (result.outcome, result.reason, result.preset_id) == ("cold", "no_preset_match", None)


def test_a_value_that_is_only_the_default_does_not_count_as_given(ana):
    template = template_with(pool("Eu", region="eu"))
    ready(template, "Eu")

    assert ask(ana, template).reason == "no_preset_match"


def test_a_preset_without_parameters_matches_everything(ana):
    template = template_with(pool("Any"))
    ready(template, "Any")

    assert ask(ana, template, region="us").outcome == "warm"


def test_when_the_best_match_is_empty_the_next_best_serves(ana):
    template = template_with(pool("Any"), pool("Both", region="us", size="m"))
    spare = ready(template, "Any")

    result = ask(ana, template, region="us", size="m")

    assert (result.outcome, preset_name(result)) == ("warm", "Any")
    assert result.workspace.pk == spare.pk
    assert Claim.objects.get().preset_id == result.preset_id
    build = result.workspace.latest_build
    assert dict(build.parameters.values_list("name", "value")) == {"region": "us", "size": "m"}


def test_a_matching_preset_without_a_pool_is_passed_over(ana):
    template = template_with(pool("Any"), pool("Both", desired=None, region="us", size="m"))
    ready(template, "Any")

    assert preset_name(ask(ana, template, region="us", size="m")) == "Any"


def test_one_that_is_not_ready_is_passed_over_for_the_next_best(ana):
    template = template_with(pool("Any"), pool("Us", region="us"))
    ready(template, "Any")
    starting = ready(template, "Us")
    Agent.objects.filter(resource__build__workspace=starting).update(
        lifecycle_state=LifecycleState.STARTING
    )

    assert preset_name(ask(ana, template, region="us")) == "Any"


def test_between_equals_the_default_preset_serves_then_the_name(ana):
    template = template_with(pool("B"), pool("C", is_default=True), pool("A"))
    for name in ("A", "B", "C"):
        ready(template, name)

    order = [preset_name(ask(ana, template, name=f"mine-{n}")) for n in range(3)]

    assert order == ["C", "A", "B"]


def test_a_miss_speaks_of_the_best_match_and_is_built_as_that_preset(ana):
    template = template_with(pool("Any"), pool("Us", region="us"))

    result = ask(ana, template, region="us")

    assert (result.outcome, result.reason, preset_name(result)) == ("cold", "pool_empty", "Us")
    assert result.workspace.latest_build_id
    assert factories.decide_for(factories.preset_of(template, "Us"), now=LATER).state.starting == 0


def test_an_empty_pool_tells_how_many_are_on_their_way_and_the_usual_time(ana):
    template = template_with(pool("Any", desired=3))
    preset = factories.preset_of(template, "Any")
    (first,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    Agent.objects.filter(resource__build__workspace=first).update(
        ready_at=NOON + timedelta(seconds=90)
    )
    ask(ana, template, name="first")
    factories.make_pending_prebuilds(preset, 2, now=NOON)

    result = ask(ana, template, name="second")

    assert result.reason == "pool_empty"
    assert result.outlook == claims.Outlook(being_built=2, usual_build_time=timedelta(seconds=90))


def test_any_other_answer_has_no_outlook(ana):
    template = template_with(pool("Any"))
    ready(template, "Any")

    assert ask(ana, template).outlook is None


def test_a_version_that_is_not_active_has_no_pool_and_is_built(ana):
    template = template_with(pool("Any"))
    old = template.active_version
    ready(template, "Any")
    factories.promote_new_version(template)

    result = ask(ana, template, version=old.pk)

    assert (result.outcome, result.reason) == ("cold", "no_pool")
    assert result.workspace.latest_build.template_version_id == old.pk


def test_a_version_of_another_template_is_refused(ana):
    other = template_with(pool("Any"))

    with pytest.raises(VersionNotOfTemplate):
        ask(ana, template_with(pool("Any")), version=other.active_version_id)


def test_an_invalidated_pool_serves_nobody_and_the_next_best_does(ana):
    template = template_with(pool("Any"), pool("Us", region="us"))
    spare = ready(template, "Any")
    ready(template, "Us")
    template_services.invalidate_presets(
        preset_ids=[factories.preset_of(template, "Us").pk], now=LATER
    )

    assert ask(ana, template, region="us").workspace.pk == spare.pk
