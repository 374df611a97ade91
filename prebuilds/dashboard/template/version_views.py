"""One version: its files, script, parameters and presets, and what differs from the active one."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from prebuilds.dashboard.base.access import signed_in
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.template.comparison import Comparison, compare
from prebuilds.dashboard.template.queries import whole_version
from prebuilds.dashboard.template.reach import find_template, find_version, rights_in
from templates_app.models import Template, TemplateVersion


@signed_in
@require_safe
def page(request: HttpRequest, template_id: UUID, version_id: UUID) -> HttpResponse:
    """Show one version; script and files only to those who may change the template."""
    template = find_template(request, template_id)
    version = whole_version(find_version(template, version_id).pk)
    rights = rights_in(request, template)
    context = {
        "template": template,
        "version": version,
        "is_active": template.active_version_id == version.pk,
        "rights": rights,
        "files": sorted(version.source_files.items()),
        "definitions": version.parameter_definitions.all(),
        "presets": sorted(version.presets.all(), key=lambda preset: preset.name),
        "comparison": _compare(template, version, texts=rights.update),
    }
    return render_page(request, "template/version.html", context, section="templates")


def _compare(template: Template, version: TemplateVersion, *, texts: bool) -> Comparison | None:
    """Return what promoting it changes; None for the active version, or when there is none."""
    active = template.active_version_id
    if active is None or active == version.pk:
        return None
    return compare(whole_version(active), version, texts=texts)
