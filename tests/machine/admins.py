"""What template admins do: they edit pools, promote, deprecate, delete, pause and resume."""

from accounts.audit import THE_SYSTEM
from prebuilds import services
from templates_app import services as template_services
from templates_app.errors import TemplateDeleted
from templates_app.models import Template
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec, VersionSpec
from tests import factories
from tests.machine.people import SIZES, told
from tests.machine.picture import OFFICE_HOURS

HOUR = 3600
AGES = {
    "default_ttl_seconds": HOUR,
    "time_til_dormant_seconds": 8 * HOUR,
    "time_til_dormant_autodelete_seconds": 8 * HOUR,
}
"""What the first template lets time do to people's workspaces."""

SIZE = ParameterDefinition(name="size", type="string", default="small")
REQUIRED = ParameterDefinition(name="size", type="string", required=True)


class Admins:
    """A part of the world; its state is there."""

    def make_templates(self):
        """Make a template with two presets, and one of another organization with schedules."""
        shell = factories.make_template(
            presets=self._shell_presets(2, 1), definitions=(SIZE,), fields=AGES
        )
        office = factories.make_template(
            organization=factories.make_organization(), presets=self._office_presets(1)
        )
        return [shell.pk, office.pk]

    @staticmethod
    def _shell_presets(small, large):
        return (
            PresetSpec(name="Small", desired_instances=small, parameters={"size": SIZES["Small"]}),
            PresetSpec(name="Large", desired_instances=large, ttl_seconds=HOUR),
        )

    @staticmethod
    def _office_presets(desired):
        schedules = ((OFFICE_HOURS, 2),)
        return (PresetSpec(name="Office", desired_instances=desired, schedules=schedules),)

    def set_desired(self, preset, number):
        template_services.set_desired_instances(
            preset_id=preset.id, desired_instances=number, now=self.now
        )

    def invalidate(self, preset):
        template_services.invalidate_presets(preset_ids=[preset.id], now=self.now)

    def retry(self, preset):
        template_services.retry_preset(preset_id=preset.id, now=self.now)

    def promote(self, template_id, version_id):
        template_services.promote_version(
            template_id=template_id, version_id=version_id, now=self.now
        )

    def promote_as_expected(self, template_id, version_id):
        with self._told_if_deleted(template_id):
            self.promote(template_id, version_id)

    def promote_new(self, template_id, *, desired, broken):
        """Promote a new version; a broken one has presets without a value it requires."""
        version = template_services.create_version(
            template=Template.objects.get(pk=template_id),
            created_by=self.people[0],
            spec=self._next_version(template_id, desired, broken),
            check_presets=False,
        )
        self.promote_as_expected(template_id, version.pk)

    def _next_version(self, template_id, desired, broken):
        self.versions += 1
        presets, definitions = self._shell_presets(desired, 1), (SIZE,)
        if template_id != self.templates[0]:
            presets, definitions = self._office_presets(desired), ()
        if broken:
            presets = (PresetSpec(name="Broken", desired_instances=desired),)
            definitions = (REQUIRED,)
        name = f"{self.versions}.0.1"
        return VersionSpec(name=name, presets=presets, definitions=definitions)

    def deprecate(self, template_id, message):
        with self._told_if_deleted(template_id):
            template_services.deprecate_template(
                template_id=template_id, message=message, actor=THE_SYSTEM, now=self.now
            )

    def delete_template(self, template_id):
        """Delete it although people use it: the pools must drain in any case."""
        with self._told_if_deleted(template_id):
            template_services.delete_template(
                template_id=template_id, updated_at=None, actor=THE_SYSTEM, now=self.now
            )

    def _told_if_deleted(self, template_id):
        presets = [one for one in self.seen.presets.values() if one.template == template_id]
        return told(TemplateDeleted if any(one.deleted_at for one in presets) else None)

    def pause(self, until):
        services.pause_reconciliation(actor=THE_SYSTEM, reason="test", until=until, now=self.now)
        self.paused, self.paused_until = True, until

    def resume(self):
        services.resume_reconciliation(actor=THE_SYSTEM, now=self.now)
        self.paused = False

    def is_paused(self):
        return self.paused and (self.paused_until is None or self.now < self.paused_until)
