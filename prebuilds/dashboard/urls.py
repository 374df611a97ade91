"""The addresses of the pages."""

from django.urls import path

from prebuilds.dashboard.account import views as account
from prebuilds.dashboard.audit import views as audit
from prebuilds.dashboard.claims import views as claims
from prebuilds.dashboard.create_workspace import views as create_workspace
from prebuilds.dashboard.edit_preset import new as new_preset
from prebuilds.dashboard.edit_preset import views as edit_preset
from prebuilds.dashboard.jobs import actions as job_actions
from prebuilds.dashboard.jobs import views as jobs
from prebuilds.dashboard.live import views as live
from prebuilds.dashboard.mail_preferences import views as mail_preferences
from prebuilds.dashboard.mailbox import views as mailbox
from prebuilds.dashboard.notices import views as notices
from prebuilds.dashboard.organizations import changes as organization_changes
from prebuilds.dashboard.organizations import group_changes
from prebuilds.dashboard.organizations import views as organizations
from prebuilds.dashboard.palette import views as palette
from prebuilds.dashboard.people import changes as people_changes
from prebuilds.dashboard.people import views as people
from prebuilds.dashboard.pools import bulk as pools_bulk
from prebuilds.dashboard.pools import look as pools_look
from prebuilds.dashboard.pools import views as pools
from prebuilds.dashboard.preset import actions as preset_actions
from prebuilds.dashboard.preset import views as preset
from prebuilds.dashboard.provisioners import machines
from prebuilds.dashboard.provisioners import views as provisioners
from prebuilds.dashboard.reconcile import views as reconcile
from prebuilds.dashboard.runs import views as runs
from prebuilds.dashboard.settings import views as settings
from prebuilds.dashboard.sign_in import views as sign_in
from prebuilds.dashboard.template import actions as template_actions
from prebuilds.dashboard.template import authoring as template_authoring
from prebuilds.dashboard.template import settings as template_settings
from prebuilds.dashboard.template import version_views as template_versions
from prebuilds.dashboard.template import views as template
from prebuilds.dashboard.templates_list import views as templates_list
from prebuilds.dashboard.workspaces import bulk as workspaces_bulk
from prebuilds.dashboard.workspaces import controls as workspace_controls
from prebuilds.dashboard.workspaces import rebuild as workspace_rebuild
from prebuilds.dashboard.workspaces import views as workspaces

app_name = "dashboard"

urlpatterns = [
    path("", pools.page, name="pools"),
    path("pools/table", pools.table, name="pools_table"),
    path("pools/retry", pools_bulk.retry, name="pools_retry"),
    path("pools/invalidate", pools_bulk.invalidate, name="pools_invalidate"),
    path("pools/desired", pools_bulk.set_desired, name="pools_desired"),
    path("live/dashboard", pools_look.stream, name="live_dashboard"),
    path("live/presets/<uuid:preset_id>", preset.stream, name="live_preset"),
    path("live/pools", live.pools_stream, name="live_pools"),
    path("workspaces/", workspaces.index, name="workspaces"),
    path("workspaces/table", workspaces.table, name="workspaces_table"),
    path("workspaces/words", workspaces.words, name="workspaces_words"),
    path("workspaces/bulk", workspaces_bulk.change, name="workspaces_bulk"),
    path("workspaces/new/", create_workspace.page, name="create_workspace"),
    path("workspaces/<uuid:workspace_id>/", workspaces.page, name="workspace"),
    path("workspaces/<uuid:workspace_id>/state", workspaces.state, name="workspace_state"),
    path(
        "workspaces/<uuid:workspace_id>/rename",
        workspace_controls.rename,
        name="workspace_rename",
    ),
    path(
        "workspaces/<uuid:workspace_id>/autostop",
        workspace_controls.autostop,
        name="workspace_autostop",
    ),
    path(
        "workspaces/<uuid:workspace_id>/extend",
        workspace_controls.extend,
        name="workspace_extend",
    ),
    path(
        "workspaces/<uuid:workspace_id>/autostart",
        workspace_controls.autostart,
        name="workspace_autostart",
    ),
    path(
        "workspaces/<uuid:workspace_id>/wake",
        workspace_controls.wake,
        name="workspace_wake",
    ),
    path(
        "workspaces/<uuid:workspace_id>/sleep",
        workspace_controls.sleep,
        name="workspace_sleep",
    ),
    path(
        "workspaces/<uuid:workspace_id>/values", workspace_rebuild.values, name="workspace_values"
    ),
    path(
        "workspaces/<uuid:workspace_id>/update", workspace_rebuild.update, name="workspace_update"
    ),
    path("workspaces/<uuid:workspace_id>/logs", workspaces.logs, name="workspace_logs"),
    path(
        "workspaces/<uuid:workspace_id>/<str:transition>",
        workspaces.change,
        name="workspace_change",
    ),
    path("presets/<uuid:preset_id>/", preset.page, name="preset"),
    path("presets/<uuid:preset_id>/state", preset.state, name="preset_state"),
    path("presets/<uuid:preset_id>/retry", preset_actions.retry, name="preset_retry"),
    path(
        "presets/<uuid:preset_id>/invalidate", preset_actions.invalidate, name="preset_invalidate"
    ),
    path("presets/<uuid:preset_id>/desired", preset_actions.set_desired, name="preset_desired"),
    path("presets/<uuid:preset_id>/delete", preset_actions.delete, name="preset_delete"),
    path("presets/<uuid:preset_id>/edit", edit_preset.page, name="preset_edit"),
    path("presets/<uuid:preset_id>/preview", edit_preset.preview, name="preset_preview"),
    path(
        "presets/<uuid:preset_id>/revert/<int:entry_id>", edit_preset.revert, name="preset_revert"
    ),
    path("palette", palette.places, name="palette"),
    path("reconcile/plan", reconcile.plan, name="plan"),
    path("reconcile/now", reconcile.run, name="reconcile_now"),
    path("reconcile/pause", reconcile.pause, name="pause"),
    path("reconcile/resume", reconcile.resume, name="resume"),
    path("templates/", templates_list.index, name="templates"),
    path("templates/table", templates_list.table, name="templates_table"),
    path("templates/new/", template_authoring.new_template, name="template_new"),
    path("templates/<uuid:template_id>/", template.page, name="template"),
    path("templates/<uuid:template_id>/state", template.state, name="template_state"),
    path("templates/<uuid:template_id>/settings", template_settings.page, name="template_settings"),
    path(
        "templates/<uuid:template_id>/invalidate",
        template_actions.invalidate,
        name="template_invalidate",
    ),
    path(
        "templates/<uuid:template_id>/deprecate",
        template_actions.deprecate,
        name="template_deprecate",
    ),
    path("templates/<uuid:template_id>/revive", template_actions.revive, name="template_revive"),
    path("templates/<uuid:template_id>/delete", template_actions.delete, name="template_delete"),
    path(
        "templates/<uuid:template_id>/versions/new",
        template_authoring.new_version,
        name="template_version_new",
    ),
    path(
        "templates/<uuid:template_id>/versions/<uuid:version_id>/",
        template_versions.page,
        name="template_version",
    ),
    path(
        "templates/<uuid:template_id>/versions/<uuid:version_id>/promote",
        template_actions.promote,
        name="template_promote",
    ),
    path(
        "templates/<uuid:template_id>/versions/<uuid:version_id>/presets/new",
        new_preset.page,
        name="preset_new",
    ),
    path(
        "templates/<uuid:template_id>/versions/<uuid:version_id>/presets/preview",
        new_preset.preview,
        name="preset_new_preview",
    ),
    path("jobs/", jobs.index, name="jobs"),
    path("jobs/table", jobs.table, name="jobs_table"),
    path("jobs/cancel-pending", job_actions.cancel_pending, name="jobs_cancel_pending"),
    path("jobs/<uuid:job_id>/", jobs.page, name="job"),
    path("jobs/<uuid:job_id>/state", jobs.state, name="job_state"),
    path("jobs/<uuid:job_id>/log", jobs.log, name="job_log"),
    path("jobs/<uuid:job_id>/cancel", job_actions.cancel, name="job_cancel"),
    path("provisioners/", provisioners.index, name="provisioners"),
    path("provisioners/table", provisioners.table, name="provisioners_table"),
    path("provisioners/keys/new", provisioners.create_key, name="provisioner_key_create"),
    path(
        "provisioners/keys/<uuid:key_id>/revoke",
        provisioners.revoke_key,
        name="provisioner_key_revoke",
    ),
    path(
        "provisioners/machines/<str:machine>/forget",
        machines.forget_machine,
        name="provisioner_machine_forget",
    ),
    path("cycles/", runs.index, name="runs"),
    path("cycles/table", runs.table, name="runs_table"),
    path("cycles/<int:run_id>/", runs.page, name="run"),
    path("claims/", claims.index, name="claims"),
    path("claims/table", claims.table, name="claims_table"),
    path("notices/", notices.index, name="notices"),
    path("notices/table", notices.table, name="notices_table"),
    path("audit/", audit.index, name="audit"),
    path("settings/", settings.page, name="settings"),
    path("people/", people.index, name="people"),
    path("people/new", people_changes.create, name="create_person"),
    path("people/<uuid:user_id>/", people.page, name="person"),
    path("people/<uuid:user_id>/edit", people_changes.edit, name="edit_person"),
    path("people/<uuid:user_id>/roles", people_changes.roles, name="person_roles"),
    path("people/<uuid:user_id>/password", people_changes.password, name="person_password"),
    path("people/<uuid:user_id>/suspend", people_changes.suspend, name="suspend_person"),
    path("people/<uuid:user_id>/activate", people_changes.activate, name="activate_person"),
    path(
        "people/<uuid:user_id>/tokens/<uuid:token_id>/revoke",
        people_changes.revoke_token,
        name="revoke_persons_token",
    ),
    path("people/<uuid:user_id>/join", people_changes.join, name="join_organization"),
    path("organizations/", organizations.index, name="organizations"),
    path("organizations/new", organization_changes.create, name="create_organization"),
    path("organizations/<uuid:organization_id>/", organizations.page, name="organization"),
    path(
        "organizations/<uuid:organization_id>/edit",
        organization_changes.edit,
        name="edit_organization",
    ),
    path(
        "organizations/<uuid:organization_id>/members/new",
        organization_changes.add_member,
        name="add_member",
    ),
    path(
        "organizations/<uuid:organization_id>/members/<uuid:user_id>/roles",
        organization_changes.member_roles,
        name="member_roles",
    ),
    path(
        "organizations/<uuid:organization_id>/members/<uuid:user_id>/remove",
        organization_changes.remove_member,
        name="remove_member",
    ),
    path(
        "organizations/<uuid:organization_id>/groups/new",
        group_changes.create,
        name="create_group",
    ),
    path("groups/<uuid:group_id>/", organizations.group_page, name="group"),
    path("groups/<uuid:group_id>/edit", group_changes.edit, name="edit_group"),
    path("groups/<uuid:group_id>/delete", group_changes.delete, name="delete_group"),
    path("groups/<uuid:group_id>/people/new", group_changes.add_person, name="add_to_group"),
    path(
        "groups/<uuid:group_id>/people/<uuid:user_id>/remove",
        group_changes.remove_person,
        name="remove_from_group",
    ),
    path("account/", account.page, name="account"),
    path("account/edit", account.edit, name="account_edit"),
    path("account/password", account.password, name="account_password"),
    path("account/tokens/new", account.create_token, name="create_token"),
    path("account/tokens/<uuid:token_id>/revoke", account.revoke_token, name="revoke_token"),
    path("account/mail/", mail_preferences.page, name="mail_preferences"),
    path("mail/unsubscribe/<str:token>/", mail_preferences.unsubscribe, name="unsubscribe"),
    path("mailbox/", mailbox.index, name="mailbox"),
    path("mailbox/<uuid:mail_id>/", mailbox.page, name="mailbox_mail"),
    path("mailbox/<uuid:mail_id>/html", mailbox.html, name="mailbox_html"),
    path("sign-in/", sign_in.SignIn.as_view(), name="sign_in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign_out"),
]
