"""Ask for a workspace: template, preset, name, values; then land on it, warm or cold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.errors import AccountsError
from prebuilds import claims, selectors
from prebuilds.dashboard.base.access import actor_of, current_user, is_fragment, signed_in
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.create_workspace import queries
from prebuilds.dashboard.create_workspace.presentation import (
    parameter_fields,
    preset_cards,
    read_values,
    say_match,
    suggest_name,
)
from prebuilds.errors import IdempotencyKeyReused, PrebuildsError
from prebuilds.models import ClaimReason
from templates_app.errors import TemplatesError
from templates_app.models import ParameterDefinition, Preset, Template
from templates_app.parameters import InvalidParameters, PresetCandidate, match_presets
from workspaces.errors import InvalidName, NameTaken, WorkspacesError
from workspaces.selectors import usual_build_time

KEY_LIMIT: Final = 64
SENT_BEFORE: Final = (
    "You have already made a workspace with this form. Send it again to make another one."
)


@dataclass(slots=True, kw_only=True)
class Draft:
    """What the person has chosen so far, and what was wrong with it.

    `key` is the form's own: sent twice, by a double click or a reload, it makes one workspace.
    """

    template: Template
    presets: list[Preset]
    definitions: list[ParameterDefinition]
    preset: Preset | None
    values: Mapping[str, str]
    name: str
    key: str
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def fixed(self) -> dict[str, str]:
        """The values the chosen preset sets."""
        return {p.name: p.value for p in self.preset.parameters.all()} if self.preset else {}

    @property
    def parameters(self) -> dict[str, str]:
        """The values to build with: the preset's, then the person's."""
        return {**self.values, **self.fixed}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Choose a template, then fill in the form; sending it creates the workspace."""
    user = current_user(request)
    templates = queries.usable_templates(user)
    wanted = request.GET.get("template", "")
    if not wanted and len(templates) != 1:
        context = {"templates": templates}
        return render_page(request, "create_workspace/choose.html", context, section="create")
    draft = _read_draft(request, _pick(templates, wanted))
    if request.method == "POST":
        return _create(request, draft)
    if is_fragment(request):
        if request.GET.get("part") == "hint":
            hint = {"draft": draft, "hint": _hint(draft, _pools())}
            return render_fragment(request, "create_workspace/page.html#hint", hint)
        return render_fragment(request, "create_workspace/page.html#parameters", _fields(draft))
    draft.name = suggest_name(draft.template, queries.names_in_use(user))
    return _show(request, draft, several_templates=len(templates) > 1)


def _pick(templates: list[Template], wanted: str) -> Template:
    for template in templates:
        if not wanted or str(template.pk) == wanted:
            return template
    raise Http404("no such template, or not for you")


def _read_draft(request: HttpRequest, template: Template) -> Draft:
    version = template.active_version
    if version is None:
        raise Http404("this template has no active version")
    presets = queries.presets_of(template)
    definitions = list(version.parameter_definitions.all())
    sent = request.POST if request.method == "POST" else request.GET
    was_sent = request.method == "POST" or is_fragment(request)
    return Draft(
        template=template,
        presets=presets,
        definitions=definitions,
        preset=_chosen_preset(presets, sent.get("preset")),
        values=read_values(definitions, sent.dict()) if was_sent else {},
        name=sent.get("name", "").strip(),
        key=sent.get("key", "").replace("\0", "")[:KEY_LIMIT] or uuid4().hex,
    )


def _chosen_preset(presets: list[Preset], wanted: str | None) -> Preset | None:
    if wanted is None:
        return presets[0] if presets else None
    return next((preset for preset in presets if str(preset.pk) == wanted), None)


def _create(request: HttpRequest, draft: Draft) -> HttpResponse:
    try:
        result = claims.claim_or_create_workspace(
            owner=current_user(request),
            template=draft.template,
            preset_id=draft.preset.pk if draft.preset else None,
            name=draft.name,
            parameters=draft.parameters,
            now=timezone.now(),
            options=claims.Options(idempotency_key=draft.key),
            actor=actor_of(request),
        )
    except (NameTaken, InvalidName) as error:
        draft.problems["name"] = str(error)
    except IdempotencyKeyReused:
        draft.problems["form"] = SENT_BEFORE
        draft.key = uuid4().hex
    except InvalidParameters as error:
        draft.problems.update(_parameter_problems(draft, error))
    except (PrebuildsError, WorkspacesError, TemplatesError, AccountsError) as error:
        draft.problems["form"] = str(error)
    else:
        messages.success(request, _announcement(result.workspace.name, result.reason))
        return redirect("dashboard:workspace", workspace_id=result.workspace.pk)
    return _show(request, draft, several_templates=True, status=422)


def _parameter_problems(draft: Draft, error: InvalidParameters) -> dict[str, str]:
    """Return field → detail; what no input can mend is said above the form."""
    open_fields = {d.name for d in draft.definitions} - draft.fixed.keys()
    problems = {p.field: p.detail for p in error.problems if p.field in open_fields}
    others = [str(problem) for problem in error.problems if problem.field not in open_fields]
    return {**problems, **({"form": "; ".join(others)} if others else {})}


def _announcement(name: str, reason: str) -> str:
    if reason == ClaimReason.WARM:
        return f"{name} is yours: it was ready before you asked."
    why = ClaimReason(reason).label
    return f"{name} is being built for you. {why}."


def _show(
    request: HttpRequest, draft: Draft, *, several_templates: bool, status: int = 200
) -> HttpResponse:
    pools = _pools()
    usual = usual_build_time(draft.template.active_version_id)
    chosen: UUID | None = draft.preset.pk if draft.preset else None
    context = {
        "cards": preset_cards(draft.presets, pools, chosen=chosen, usual=usual),
        "several_templates": several_templates,
        **_fields(draft),
        "hint": _hint(draft, pools),
    }
    return render_page(
        request, "create_workspace/page.html", context, section="create", status=status
    )


def _pools() -> dict[UUID, selectors.PoolRow]:
    return {pool.preset_id: pool for pool in selectors.list_pools(now=timezone.now()).pools}


def _hint(draft: Draft, pools: Mapping[UUID, selectors.PoolRow]) -> str:
    """Return which preset one's own values match; an empty text once a preset is chosen."""
    return "" if draft.preset else say_match(_matching_preset(draft), pools)


def _matching_preset(draft: Draft) -> Preset | None:
    """Return the preset whose workspaces the values fit best, as the claim sees them."""
    candidates = [
        PresetCandidate(
            id=preset.pk,
            name=preset.name,
            is_default=preset.is_default,
            parameters={one.name: one.value for one in preset.parameters.all()},
        )
        for preset in draft.presets
    ]
    defaults = {one.name: one.default for one in draft.definitions if one.default is not None}
    best = next(iter(match_presets(candidates, {**defaults, **draft.values})), None)
    return next((preset for preset in draft.presets if best and preset.pk == best.id), None)


def _fields(draft: Draft) -> dict[str, object]:
    fields = parameter_fields(
        draft.definitions, fixed=draft.fixed, given=draft.values, problems=draft.problems
    )
    return {
        "draft": draft,
        "open_fields": [f for f in fields if not f.is_from_preset],
        "preset_fields": [f for f in fields if f.is_from_preset],
    }
