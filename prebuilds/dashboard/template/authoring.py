"""Make a new template, or a new version of one that there is."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import Organization
from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import actor_of, current_user, is_fragment, signed_in
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.template.draft import Draft, bind_draft, reshape_draft, start_draft
from prebuilds.dashboard.template.forms import NewTemplateForm, focus_first_error
from prebuilds.dashboard.template.queries import version_names, whole_version
from prebuilds.dashboard.template.reach import find_changeable, find_version
from templates_app.errors import InvalidVersion, NameTaken, TemplatesError
from templates_app.models import Template, TemplateVersion
from templates_app.services import (
    PresetSpec,
    TemplateChanges,
    VersionSpec,
    add_template,
    add_version,
)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_version(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Write a version that starts from another's content, the active one's unless it is named."""
    template = find_changeable(request, template_id)
    if template.deleted_at is not None:
        raise Http404("a deleted template gets no versions")
    if request.method != "POST":
        base = _base(template, request.GET.get("from") or template.active_version_id)
        draft = start_draft(base, version_names(template))
        return _show_version(request, template, draft)
    base = _base(template, request.POST.get("base"))
    if edit := request.GET.get("edit", ""):
        return _show_version(request, template, reshape_draft(request.POST, base, edit=edit))
    return _add_version(request, template, bind_draft(request.POST, base))


def _base(template: Template, named: object) -> TemplateVersion | None:
    if not named:
        return None
    try:
        version_id = UUID(str(named))
    except ValueError as error:
        raise Http404("no such version") from error
    return whole_version(find_version(template, version_id).pk)


def _add_version(request: HttpRequest, template: Template, draft: Draft) -> HttpResponse:
    spec = draft.read()
    if spec is not None:
        try:
            version = add_version(
                template=template, spec=spec, actor=actor_of(request), now=timezone.now()
            )
        except NameTaken as error:
            draft.refuse("name", str(error))
        except TemplatesError as error:
            draft.refuse("name", str(error) or str(error.__doc__))
        else:
            messages.success(
                request,
                f"{version.name} is made. It is not active yet: promote it to use it.",
            )
            return redirect("dashboard:template_version", template.pk, version.pk)
    return _show_version(request, template, draft, status=422)


def _show_version(
    request: HttpRequest, template: Template, draft: Draft, *, status: int = 200
) -> HttpResponse:
    context = {"template": template, "draft": draft}
    if is_fragment(request):
        return render_fragment(request, "template/version_form.html#form", context)
    return render_page(
        request, "template/version_form.html", context, section="templates", status=status
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_template(request: HttpRequest) -> HttpResponse:
    """Write a template with its first version and its first preset."""
    organizations = _homes(request)
    form = NewTemplateForm(
        request.POST or None, initial={"icon": "template", "organization": organizations.first()}
    )
    field = form.fields["organization"]
    field.queryset = organizations  # type: ignore[attr-defined]  # it is a ModelChoiceField
    if request.method == "POST" and form.is_valid():
        template = _add_template(request, form)
        if template is not None:
            messages.success(request, f"{template} is made, and its first version is active.")
            return redirect("dashboard:template", template.pk)
    focus_first_error([form])
    return render_page(
        request,
        "template/new.html",
        {"form": form},
        section="templates",
        status=200 if request.method != "POST" else 422,
    )


def _homes(request: HttpRequest) -> QuerySet[Organization]:
    """Return the organizations the person may make templates in; Http404 where there is none."""
    subject = subject_of(current_user(request))
    homes = Organization.objects.order_by("-is_default", "name")
    if subject.can(Action.CREATE, Resource.TEMPLATE):
        return homes
    allowed = [
        key
        for key in subject.organization_roles
        if subject.can(Action.CREATE, Resource.TEMPLATE, organization_id=key)
    ]
    if allowed:
        return homes.filter(pk__in=allowed)
    if subject.can_anywhere(Action.READ, Resource.TEMPLATE):
        raise PermissionDenied
    raise Http404("not for you")


def _add_template(request: HttpRequest, form: NewTemplateForm) -> Template | None:
    asked = form.cleaned_data
    try:
        return add_template(
            organization=asked["organization"],
            name=asked["name"],
            version=_first_version(asked),
            fields=TemplateChanges(
                display_name=asked["display_name"],
                icon=asked["icon"],
                description=asked["description"],
            ),
            actor=actor_of(request),
            now=timezone.now(),
        )
    except NameTaken as error:
        form.add_error("name", str(error))
    except InvalidVersion as error:
        for field, detail in error.problems:
            form.add_error(None, f"{field}: {detail}")
    return None


def _first_version(asked: dict[str, object]) -> VersionSpec:
    preset = PresetSpec(
        name=str(asked["preset_name"]),
        is_default=True,
        desired_instances=asked["desired_instances"],  # type: ignore[arg-type]  # an IntegerField
    )
    return VersionSpec(
        name=str(asked["version_name"]),
        startup_script=str(asked["startup_script"]),
        presets=(preset,) if asked["preset_name"] else (),
    )
