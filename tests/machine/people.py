"""What people do: they join, claim, start, stop, delete and cancel.

Where the picture of the step before says what must come of it, the act asserts just that.
"""

from contextlib import contextmanager

import pytest

from accounts.audit import Actor
from accounts.enums import AuditSource
from prebuilds import claims, services
from prebuilds.claims import Options
from prebuilds.errors import IdempotencyKeyReused, PresetNotOfTemplate
from templates_app.errors import TemplateNotUsable
from templates_app.models import Template
from templates_app.parameters import InvalidParameters
from tests import factories
from workspaces.errors import BuildInProgress, NameTaken, WorkspaceDeleted, WorkspaceDormant
from workspaces.models import Workspace
from workspaces.services import jobs

SIZES = {"Small": "small"}
"""The presets that fix the parameter `size`; the others leave it to whoever asks."""


class People:
    """A part of the world; its state is there."""

    def join(self):
        self.people.append(factories.make_user())

    def new_name(self):
        self.names += 1
        return f"w-{self.names}"

    # A preset is named.

    def claim(self, owner, preset, name, key=""):
        return self._claim(owner, preset.template, name, preset_id=preset.id, key=key)

    def claim_as_expected(self, owner, preset, name):
        with told(self._refusal_of_claim(owner, preset, name)):
            self._compare(self.claim(owner, preset, name), self.seen.eligible(preset, self.now))

    def claim_twice_as_expected(self, owner, preset, key):
        """Claim twice with one Idempotency-Key: the second time nothing more happens."""
        name = self.new_name()
        refusal = self._refusal_of_claim(owner, preset, name)
        with told(refusal):
            first = self.claim(owner, preset, name, key)
        if refusal is not None:
            return
        self.look()
        before = self.seen
        again = self.claim(owner, preset, name, key)
        assert (again.repeated, again.claim_id) == (True, first.claim_id)
        with pytest.raises(IdempotencyKeyReused):
            self.claim(owner, preset, self.new_name(), key)
        self.look()
        assert self.seen == before

    # Only parameters are named.

    def claim_by_parameters(self, owner, template, name, parameters):
        return self._claim(owner, template, name, parameters=parameters)

    def claim_by_parameters_as_expected(self, owner, template, parameters):
        name, presets = self.new_name(), self.seen.matching(template, parameters)
        with told(self._refusal_of_parameters(presets[0], parameters)):
            result = self.claim_by_parameters(owner, template, name, parameters)
            stocked = [one for one in presets if self.seen.eligible(one, self.now)]
            self._compare(
                result, self.seen.eligible(stocked[0], self.now) if stocked else [], stocked[:1]
            )

    def _claim(self, owner, template, name, *, preset_id=None, parameters=None, key=""):
        return claims.claim_or_create_workspace(
            owner=owner,
            template=Template.objects.get(pk=template),
            preset_id=preset_id,
            name=name,
            parameters=parameters or {},
            options=Options(idempotency_key=key),
            now=self.now,
        )

    @staticmethod
    def _compare(result, eligible, presets=()):
        assert result.outcome == ("warm" if eligible else "cold"), result.reason
        if eligible:
            assert result.workspace.pk == eligible[0].id, "not the oldest"
        assert [one.id for one in presets] in ([], [result.preset_id]), "not the best match"

    def _refusal_of_claim(self, owner, preset, name):
        if not preset.template_is_usable:
            return TemplateNotUsable
        if not preset.is_active:
            return PresetNotOfTemplate
        if preset.name.startswith("Broken"):
            return InvalidParameters
        mine = [one for one in self.seen.live() if one.owner == owner.pk]
        return NameTaken if any(one.name.lower() == name.lower() for one in mine) else None

    @staticmethod
    def _refusal_of_parameters(preset, parameters):
        if not preset.template_is_usable:
            return TemplateNotUsable
        # Of a broken version `size` must be given; the office has no such parameter.
        fits = {"Broken": "size" in parameters, "Office": not parameters}.get(preset.name, True)
        return None if fits else InvalidParameters

    # Builds.

    def build(self, workspace, transition):
        """Ask for a build as the owner, or of a prebuild as an admin."""
        owners = [one for one in self.people if one.pk == workspace.owner]
        return services.request_build(
            workspace=Workspace.objects.get(pk=workspace.id),
            transition=transition,
            actor=Actor(user=(owners or self.people)[0], source=AuditSource.PAGE),
            now=self.now,
        )

    def build_as_expected(self, workspace, transition):
        refusal = None
        if workspace.deleted_at is not None:
            refusal = WorkspaceDeleted
        elif workspace.latest.is_unfinished:
            refusal = BuildInProgress
        elif transition == "start" and workspace.dormant_at is not None:
            refusal = WorkspaceDormant
        with told(refusal):
            self.build(workspace, transition)

    def cancel(self, build):
        ends_at_once = build.status == "pending"
        status = jobs.cancel_job(job_id=build.job, now=self.now)
        assert status == ("canceled" if ends_at_once else "canceling")

    def cancel_whenever(self, build):
        jobs.cancel_job(job_id=build.job, now=self.now)


@contextmanager
def told(refusal):
    """Expect the block to be refused in this way; None: to go well."""
    if refusal is None:
        yield
    else:
        with pytest.raises(refusal):
            yield
