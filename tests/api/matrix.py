"""The access matrix: who gets what, from every address by every method (semantics.md 18).

A line is a method, the status of those it lets in, what each caller gets, and the address.

    .  let in, with the status of the line
    1  401: nobody it knows        3  403: may see it, not do it
    4  404: may not know of it     >  302: sent to the sign-in page
    h  302: sent elsewhere         o  200: shown a page that offers nothing of it
"""

from dataclasses import dataclass, replace
from typing import Final

from tests.api.world import PEOPLE

CALLERS: Final = (
    "anonymous",
    *PEOPLE,
    *("read-token", "use-token"),
    *("agent", "key", "revoked", "expired"),
)
STATUSES: Final = {200: "o", 302: "h", 401: "1", 403: "3", 404: "4"}

#         anonymous
#         | member, mine (who owns the workspaces), stranger (who administers another organization)
#         | |   auditor, user-admin, template-admin
#         | |   |   org-auditor, org-template-admin, org-admin
#         | |   |   |   owner, an owner's token to read, an owner's token to use
#         | |   |   |   |   agent, provisioner key, revoked token, expired token
API: Final = """
GET    200  1 ... ... ... ... 1111  workspaces
GET    200  1 4.4 .4. ... ... 1111  workspaces/<uuid:workspace>
PATCH  204  1 4.4 343 33. .3. 1111  workspaces/<uuid:workspace>
GET    200  1 4.4 .4. 44. ... 1111  users/<str:user>/workspace/<str:name>
POST   201  1 4.4 343 44. .3. 1111  organizations/<uuid:organization>/members/<str:user>/workspaces
POST   201  1 4.4 343 44. .3. 1111  users/<str:user>/workspaces
GET    200  1 4.4 .4. ... ... 1111  workspaces/<uuid:workspace>/builds
POST   201  1 4.4 343 33. .3. 1111  workspaces/<uuid:workspace>/builds
GET    200  1 4.4 .4. 44. ... 1111  users/<str:user>/workspace/<str:name>/builds/<int:number>
GET    200  1 4.4 .4. ... ... 1111  workspacebuilds/<uuid:build>
PATCH  200  1 4.4 343 33. .3. 1111  workspacebuilds/<uuid:build>/cancel
GET    200  1 4.4 .4. ... ... 1111  workspacebuilds/<uuid:build>/parameters
GET    200  1 4.4 .4. ... ... 1111  workspacebuilds/<uuid:build>/resources
GET    200  1 4.4 .4. ... ... 1111  workspacebuilds/<uuid:build>/logs
PUT    204  1 4.4 343 33. .3. 1111  workspaces/<uuid:workspace>/ttl
PUT    204  1 4.4 343 33. .3. 1111  workspaces/<uuid:workspace>/autostart
PUT    409  1 4.4 343 33. .3. 1111  workspaces/<uuid:workspace>/extend
PUT    200  1 4.4 343 33. .3. 1111  workspaces/<uuid:workspace>/dormant
PUT    204  1 4.4 343 33. .3. 1111  workspaces/<uuid:workspace>/autoupdates
GET    200  1 4.4 .4. ... ... 1111  workspaceagents/<uuid:agent>
GET    200  1 4.4 .4. ... ... 1111  workspaceagents/<uuid:agent>/logs
GET    200  1 ..4 ... ... ... 1111  organizations/<uuid:organization>/provisionerjobs
GET    200  1 4.4 .4. ... ... 1111  organizations/<uuid:organization>/provisionerjobs/<uuid:job>
GET    200  1 ... ... ... ... 1111  provisionerjobs
GET    200  1 4.4 .4. ... ... 1111  provisionerjobs/<uuid:job>
PATCH  200  1 4.4 343 33. .3. 1111  provisionerjobs/<uuid:job>/cancel
POST   200  1 334 33. 3.. .33 1111  provisionerjobs/cancel-pending
GET    200  1 444 .4. ... ... 1111  organizations/<uuid:organization>/provisionerdaemons
GET    200  1 444 .4. ... ... 1111  organizations/<uuid:organization>/provisionerkeys
POST   201  1 444 34. 33. .33 1111  organizations/<uuid:organization>/provisionerkeys
GET    200  1 444 .4. ... ... 1111  organizations/<uuid:organization>/provisionerkeys/<str:name>
DELETE 204  1 444 34. 33. .33 1111  organizations/<uuid:organization>/provisionerkeys/<str:name>
GET    200  1 ... ... ... ... 1111  prebuilds/settings
PUT    200  1 333 33. 333 .33 1111  prebuilds/settings
GET    200  1 ... ... ... ... 1111  prebuilds/state
GET    200  1 44. .4. ... ... 1111  prebuilds/plan
POST   200  1 443 34. 333 .33 1111  prebuilds/reconcile
GET    200  1 44. .4. ... ... 1111  prebuilds/runs
GET    200  1 44. .4. ... ... 1111  prebuilds/runs/<int:run>
GET    200  1 ... ... ... ... 1111  prebuilds/notices
GET    200  1 ... ... ... ... 1111  prebuilds/claims
GET    200  1 111 111 111 111 .111  workspaceagents/me
POST   204  1 111 111 111 111 .111  workspaceagents/me/lifecycle
PATCH  204  1 111 111 111 111 .111  workspaceagents/me/logs
POST   204  1 111 111 111 111 .111  workspaceagents/me/heartbeat
GET    200  1 111 111 111 111 .111  workspaceagents/me/reinit
POST   201  1 111 111 111 111 1.11  provisioner/daemons
POST   204  1 111 111 111 111 1.11  provisioner/daemons/<uuid:daemon>/touch
POST   200  1 111 111 111 111 1.11  provisioner/daemons/<uuid:daemon>/reap
POST   200  1 111 111 111 111 1.11  provisioner/daemons/<uuid:daemon>/acquire
POST   204  1 111 111 111 111 1.11  provisioner/daemons/<uuid:daemon>/goodbye
POST   200  1 111 111 111 111 1.11  provisioner/jobs/<uuid:job>/heartbeat
POST   204  1 111 111 111 111 1.11  provisioner/jobs/<uuid:job>/logs
POST   204  1 111 111 111 111 1.11  provisioner/jobs/<uuid:job>/resources
POST   204  1 111 111 111 111 1.11  provisioner/jobs/<uuid:job>/complete
POST   204  1 111 111 111 111 1.11  provisioner/jobs/<uuid:job>/fail
POST   204  1 111 111 111 111 1.11  provisioner/jobs/<uuid:job>/finish-canceled
POST   204  1 111 111 111 111 1.11  provisioner/jobs/<uuid:job>/release
GET    200  1 ... ... ... ... 1111  templates
GET    200  1 ..4 ... ... ... 1111  templates/<uuid:template>
PATCH  200  1 334 33. 3.. .33 1111  templates/<uuid:template>
DELETE 409  1 334 33. 3.. .33 1111  templates/<uuid:template>
GET    200  1 ..4 ... ... ... 1111  templates/<uuid:template>/versions
PATCH  200  1 334 33. 3.. .33 1111  templates/<uuid:template>/versions
POST   200  1 334 33. 3.. .33 1111  templates/<uuid:template>/prebuilds/invalidate
GET    200  1 ..4 ... ... ... 1111  organizations/<str:organization>/templates
POST   201  1 334 33. 3.. .33 1111  organizations/<str:organization>/templates
GET    200  1 ..4 ... ... ... 1111  organizations/<str:organization>/templates/<str:templatename>
POST   201  1 334 33. 3.. .33 1111  organizations/<str:organization>/templateversions
GET    200  1 ..4 ... ... ... 1111  templateversions/<uuid:version>
GET    200  1 ..4 ... ... ... 1111  templateversions/<uuid:version>/rich-parameters
GET    200  1 ..4 ... ... ... 1111  templateversions/<uuid:version>/presets
POST   201  1 334 33. 3.. .33 1111  templateversions/<uuid:version>/presets
GET    200  1 334 33. 3.. ... 1111  templateversions/<uuid:version>/promotion
GET    200  1 ..4 ... ... ... 1111  presets/<uuid:preset>
PATCH  200  1 334 33. 3.. .33 1111  presets/<uuid:preset>
DELETE 409  1 334 33. 3.. .33 1111  presets/<uuid:preset>
POST   200  1 334 33. 3.. ... 1111  presets/<uuid:preset>/preview
POST   200  1 334 33. 3.. .33 1111  presets/<uuid:preset>/retry
POST   200  1 334 33. 3.. .33 1111  presets/<uuid:preset>/invalidate
GET    200  1 334 .3. 3.. ... 1111  presets/<uuid:preset>/history
POST   201  . ... ... ... ... ....  users/login
POST   200  1 ... ... ... ... 1111  users/logout
GET    200  1 ... ... ... ... 1111  users
POST   201  1 333 3.3 333 .33 1111  users
GET    200  1 4.4 ... 44. ... 1111  users/<str:user>
PUT    200  1 4.4 3.3 443 .33 1111  users/<str:user>/profile
PUT    200  1 434 3.3 443 .33 1111  users/<str:user>/roles
PUT    204  1 4.4 3.3 443 .33 1111  users/<str:user>/password
PUT    200  1 434 3.3 443 .33 1111  users/<str:user>/status/suspend
PUT    200  1 434 3.3 443 .33 1111  users/<str:user>/status/activate
GET    200  1 4.4 ... 443 ... 1111  users/<str:user>/keys/tokens
POST   201  1 4.4 3.3 443 .33 1111  users/<str:user>/keys/tokens
GET    200  1 4.4 ... 443 ... 1111  users/<str:user>/keys/tokens/<str:token>
DELETE 204  1 4.4 3.3 443 .33 1111  users/<str:user>/keys/tokens/<str:token>
GET    200  1 4.4 ... 443 ... 1111  users/<str:user>/keys/<uuid:token>
DELETE 204  1 4.4 3.3 443 .33 1111  users/<str:user>/keys/<uuid:token>
GET    200  1 ... ... ... ... 1111  organizations
POST   201  1 333 333 333 .33 1111  organizations
GET    200  1 ..4 ... ... ... 1111  organizations/<str:organization>
PATCH  200  1 334 333 33. .33 1111  organizations/<str:organization>
GET    200  1 4.4 ... 44. ... 1111  users/<str:user>/organizations
GET    200  1 4.4 ... 44. ... 1111  users/<str:user>/organizations/<str:organization>
GET    200  1 ..4 ... ... ... 1111  organizations/<str:organization>/members
GET    200  1 ..4 ... ... ... 1111  organizations/<str:organization>/paginated-members
GET    200  1 4.4 ... ... ... 1111  organizations/<str:organization>/members/<str:user>
POST   409  1 334 3.3 33. .33 1111  organizations/<str:organization>/members/<str:user>
DELETE 204  1 434 3.3 33. .33 1111  organizations/<str:organization>/members/<str:user>
PUT    200  1 434 3.3 33. .33 1111  organizations/<str:organization>/members/<str:user>/roles
GET    200  1 4.4 ... ... ... 1111  organizations/<str:organization>/members/<str:user>/workspace-quota
GET    200  1 ..4 ... ... ... 1111  organizations/<str:organization>/groups
POST   201  1 334 3.3 33. .33 1111  organizations/<str:organization>/groups
GET    200  1 444 ... ... ... 1111  organizations/<str:organization>/groups/<str:group>
GET    200  1 444 ... ... ... 1111  groups/<uuid:group>
PATCH  200  1 444 3.3 33. .33 1111  groups/<uuid:group>
DELETE 204  1 444 3.3 33. .33 1111  groups/<uuid:group>
GET    200  1 444 .44 444 ... 1111  audit
GET    404  . ... ... ... ... ....  ^
POST   404  . ... ... ... ... ....  ^
PUT    404  . ... ... ... ... ....  ^
PATCH  404  . ... ... ... ... ....  ^
DELETE 404  . ... ... ... ... ....  ^
"""  # noqa: E501  an address is as long as it is

#         anonymous, people by session as above, and tokens, which open no page
PAGES: Final = """
GET    200  . ... ... ... ... ....  /healthz
GET    200  . ... ... ... ... ....  /readyz
GET    200  . ... ... ... ... ....  /api/schema
GET    200  . ... ... ... ... ....  /api/docs
GET    200  > ... ... ... .>> >>>>  /
GET    200  > ... ... ... .>> >>>>  /pools/table
GET    200  1 ... ... ... .11 1111  /live/dashboard
GET    200  1 ... ... ... .11 1111  /live/pools
GET    200  1 ..4 ... ... .11 1111  /live/presets/<uuid:preset_id>
GET    200  > ... ... ... .>> >>>>  /workspaces/
GET    200  > ... ... ... .>> >>>>  /workspaces/table
GET    200  > ... ... ... .>> >>>>  /workspaces/new/
POST   302  > ..o ... ... .>> >>>>  /workspaces/new/
GET    200  > 4.4 .4. ... .>> >>>>  /workspaces/<uuid:workspace_id>/
GET    200  > 4.4 .4. ... .>> >>>>  /workspaces/<uuid:workspace_id>/state
POST   302  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/<str:transition>
GET    200  > ..4 ... ... .>> >>>>  /presets/<uuid:preset_id>/
GET    200  > ..4 ... ... .>> >>>>  /presets/<uuid:preset_id>/state
GET    200  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/retry
POST   302  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/retry
GET    200  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/invalidate
POST   302  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/invalidate
GET    200  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/desired
POST   302  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/desired
GET    200  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/delete
POST   302  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/delete
GET    200  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/edit
POST   409  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/edit
POST   200  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/preview
GET    200  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/revert/<int:entry_id>
POST   302  > 334 33. 3.. .>> >>>>  /presets/<uuid:preset_id>/revert/<int:entry_id>
GET    200  > 44. .4. ... .>> >>>>  /reconcile/plan
GET    200  > 443 34. 333 .>> >>>>  /reconcile/now
POST   302  > 443 34. 333 .>> >>>>  /reconcile/now
GET    200  > 444 34. 444 .>> >>>>  /reconcile/pause
POST   302  > 444 34. 444 .>> >>>>  /reconcile/pause
GET    200  > 444 34. 444 .>> >>>>  /reconcile/resume
POST   302  > 444 34. 444 .>> >>>>  /reconcile/resume
GET    200  > 44. .4. ... .>> >>>>  /cycles/
GET    200  > 44. .4. ... .>> >>>>  /cycles/table
GET    200  > 44. .4. ... .>> >>>>  /cycles/<int:run_id>/
GET    200  > ... ... ... .>> >>>>  /account/
GET    200  > ... ... ... .>> >>>>  /account/edit
POST   302  > ... ... ... .>> >>>>  /account/edit
GET    200  > ... ... ... .>> >>>>  /account/password
POST   422  > ... ... ... .>> >>>>  /account/password
GET    200  > 4.4 444 444 4>> >>>>  /account/tokens/<uuid:token_id>/revoke
POST   302  > 4.4 444 444 4>> >>>>  /account/tokens/<uuid:token_id>/revoke
GET    200  > ... ... ... .>> >>>>  /account/tokens/new
POST   422  > ... ... ... .>> >>>>  /account/tokens/new
GET    200  > 444 .44 444 .>> >>>>  /audit/
GET    200  > 444 ... ... .>> >>>>  /groups/<uuid:group_id>/
GET    200  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/delete
POST   302  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/delete
GET    200  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/edit
POST   422  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/edit
GET    200  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/people/<uuid:user_id>/remove
POST   302  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/people/<uuid:user_id>/remove
GET    200  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/people/new
POST   422  > 444 3.3 33. .>> >>>>  /groups/<uuid:group_id>/people/new
GET    200  > ... ... ... .>> >>>>  /jobs/
GET    200  > 4.4 .4. ... .>> >>>>  /jobs/<uuid:job_id>/
GET    200  > 4.4 343 33. .>> >>>>  /jobs/<uuid:job_id>/cancel
POST   302  > 4.4 343 33. .>> >>>>  /jobs/<uuid:job_id>/cancel
GET    200  > 4.4 .4. ... .>> >>>>  /jobs/<uuid:job_id>/log
GET    200  > 4.4 .4. ... .>> >>>>  /jobs/<uuid:job_id>/state
GET    200  > 44. 44. 4.. .>> >>>>  /jobs/cancel-pending
POST   302  > 44. 44. 4.. .>> >>>>  /jobs/cancel-pending
GET    200  > ... ... ... .>> >>>>  /jobs/table
GET    200  > ... ... ... .>> >>>>  /claims/
GET    200  > ... ... ... .>> >>>>  /claims/table
GET    200  > ... ... ... .>> >>>>  /notices/
GET    200  > ... ... ... .>> >>>>  /notices/table
GET    200  > ... ... ... .>> >>>>  /organizations/
GET    200  > ..4 ... ... .>> >>>>  /organizations/<uuid:organization_id>/
GET    200  > 334 333 33. .>> >>>>  /organizations/<uuid:organization_id>/edit
POST   422  > 334 333 33. .>> >>>>  /organizations/<uuid:organization_id>/edit
GET    200  > 334 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/groups/new
POST   422  > 334 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/groups/new
GET    200  > 434 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/members/<uuid:user_id>/remove
POST   302  > 434 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/members/<uuid:user_id>/remove
GET    200  > 434 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/members/<uuid:user_id>/roles
POST   302  > 434 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/members/<uuid:user_id>/roles
GET    200  > 334 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/members/new
POST   422  > 334 3.3 33. .>> >>>>  /organizations/<uuid:organization_id>/members/new
GET    200  > 333 333 333 .>> >>>>  /organizations/new
POST   422  > 333 333 333 .>> >>>>  /organizations/new
GET    200  > ... ... ... .>> >>>>  /palette
GET    200  > 44. ... 44. .>> >>>>  /people/
GET    200  > 4.4 ... 44. .>> >>>>  /people/<uuid:user_id>/
GET    200  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/activate
POST   302  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/activate
GET    200  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/edit
POST   422  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/edit
GET    200  > 434 3.3 44. .>> >>>>  /people/<uuid:user_id>/join
POST   422  > 434 3.3 44. .>> >>>>  /people/<uuid:user_id>/join
GET    200  > 4h4 3.3 443 .>> >>>>  /people/<uuid:user_id>/password
POST   422  > 4h4 3.3 443 .>> >>>>  /people/<uuid:user_id>/password
GET    200  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/roles
POST   302  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/roles
GET    200  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/suspend
POST   302  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/suspend
GET    200  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/tokens/<uuid:token_id>/revoke
POST   302  > 434 3.3 443 .>> >>>>  /people/<uuid:user_id>/tokens/<uuid:token_id>/revoke
GET    200  > 443 3.3 443 .>> >>>>  /people/new
POST   422  > 443 3.3 443 .>> >>>>  /people/new
GET    200  > 33. 33. 3.. .>> >>>>  /pools/desired
POST   302  > 33. 33. 3.. .>> >>>>  /pools/desired
GET    200  > 33. 33. 3.. .>> >>>>  /pools/invalidate
POST   302  > 33. 33. 3.. .>> >>>>  /pools/invalidate
GET    200  > 33. 33. 3.. .>> >>>>  /pools/retry
POST   302  > 33. 33. 3.. .>> >>>>  /pools/retry
GET    200  > 44. .4. ... .>> >>>>  /provisioners/
GET    200  > 444 34. 33. .>> >>>>  /provisioners/keys/<uuid:key_id>/revoke
POST   302  > 444 34. 33. .>> >>>>  /provisioners/keys/<uuid:key_id>/revoke
GET    200  > 44. 34. 33. .>> >>>>  /provisioners/keys/new
POST   422  > 44. 34. 33. .>> >>>>  /provisioners/keys/new
GET    200  > 444 34. 33. .>> >>>>  /provisioners/machines/<str:machine>/forget
POST   302  > 444 34. 33. .>> >>>>  /provisioners/machines/<str:machine>/forget
GET    200  > 44. .4. ... .>> >>>>  /provisioners/table
GET    200  > 444 .4. 444 .>> >>>>  /settings/
GET    200  > ... ... ... .>> >>>>  /templates/
GET    200  > ..4 ... ... .>> >>>>  /templates/<uuid:template_id>/
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/delete
POST   302  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/delete
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/deprecate
POST   422  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/deprecate
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/invalidate
POST   302  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/invalidate
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/revive
POST   302  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/revive
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/settings
POST   422  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/settings
GET    200  > ..4 ... ... .>> >>>>  /templates/<uuid:template_id>/state
GET    200  > ..4 ... ... .>> >>>>  /templates/<uuid:template_id>/versions/<uuid:version_id>/
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/versions/<uuid:version_id>/promote
POST   302  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/versions/<uuid:version_id>/promote
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/versions/new
POST   422  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/versions/new
GET    200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/versions/<uuid:version_id>/presets/new
POST   422  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/versions/<uuid:version_id>/presets/new
POST   200  > 334 33. 3.. .>> >>>>  /templates/<uuid:template_id>/versions/<uuid:version_id>/presets/preview
GET    200  > 33. 33. 3.. .>> >>>>  /templates/new/
POST   422  > 33. 33. 3.. .>> >>>>  /templates/new/
GET    200  > ... ... ... .>> >>>>  /templates/table
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/autostart
POST   302  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/autostart
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/autostop
POST   302  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/autostop
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/extend
POST   422  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/extend
GET    200  > 4.4 .4. ... .>> >>>>  /workspaces/<uuid:workspace_id>/logs
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/rename
POST   422  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/rename
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/sleep
POST   302  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/sleep
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/update
POST   302  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/update
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/values
POST   302  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/values
GET    200  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/wake
POST   302  > 4.4 343 33. .>> >>>>  /workspaces/<uuid:workspace_id>/wake
GET    200  > ... ... ... .>> >>>>  /workspaces/words
GET    200  . hhh hhh hhh h.. ....  /sign-in/
POST   302  . ... ... ... ... ....  /sign-in/
POST   302  . ... ... ... ... ....  /sign-out/
GET    200  > ... ... ... .>> >>>>  /account/mail/
POST   302  > ... ... ... .>> >>>>  /account/mail/
GET    200  4 444 444 444 444 4444  /mail/unsubscribe/<str:token>/
POST   200  4 444 444 444 444 4444  /mail/unsubscribe/<str:token>/
GET    200  > 444 444 444 4>> >>>>  /mailbox/
GET    200  > 444 444 444 4>> >>>>  /mailbox/<uuid:mail_id>/
GET    200  > 444 444 444 4>> >>>>  /mailbox/<uuid:mail_id>/html
GET    404  . ... ... ... ... ....  /metrics
GET    200  > ... ... ... .>> >>>>  /workspaces/bulk
POST   302  > ... ... ... .>> >>>>  /workspaces/bulk
"""  # noqa: E501

ADMIN: Final = """
GET    200  > >>. ... ... .>> >>>>  /admin/
GET    200  > >>. ... 33. .>> >>>>  /admin/accounts/user/
GET    200  > >>. ... ... .>> >>>>  /admin/accounts/organization/
GET    200  > >>. ... ... .>> >>>>  /admin/accounts/membership/
GET    200  > >>. ... ... .>> >>>>  /admin/accounts/group/
GET    200  > >>. ... ... .>> >>>>  /admin/accounts/groupmembership/
GET    200  > >>3 ... 333 .>> >>>>  /admin/accounts/token/
GET    200  > >>3 .33 333 .>> >>>>  /admin/accounts/auditentry/
GET    200  > >>. ... ... .>> >>>>  /admin/templates_app/presetparameter/
GET    200  > >>. ... ... .>> >>>>  /admin/templates_app/presetschedule/
GET    200  > >>. ... ... .>> >>>>  /admin/templates_app/preset/
GET    200  > >>. ... ... .>> >>>>  /admin/templates_app/template/
GET    200  > >>. ... ... .>> >>>>  /admin/templates_app/templateversion/
GET    200  > >>. ... ... .>> >>>>  /admin/templates_app/parameterdefinition/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/workspaceresource/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/agent/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/agentlog/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/provisionerjob/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/joblog/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/provisionerkey/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/provisionerdaemon/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/workspace/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/workspacebuild/
GET    200  > >>. .3. ... .>> >>>>  /admin/workspaces/buildparameter/
GET    200  > >>3 .3. 333 .>> >>>>  /admin/prebuilds/prebuildssettings/
GET    200  > >>3 .3. 333 .>> >>>>  /admin/prebuilds/reconcilerun/
GET    200  > >>. .3. ... .>> >>>>  /admin/prebuilds/reconciledecision/
GET    200  > >>. .3. ... .>> >>>>  /admin/prebuilds/claim/
GET    200  > >>. .3. ... .>> >>>>  /admin/prebuilds/notice/
GET    200  > >>3 .33 333 .>> >>>>  /admin/prebuilds/mail/
GET    200  > >>3 .3. 333 .>> >>>>  /admin/django_q/schedule/
GET    200  > >>3 .3. 333 .>> >>>>  /admin/django_q/success/
GET    200  > >>3 .3. 333 .>> >>>>  /admin/django_q/failure/
GET    200  > >>3 .3. 333 .>> >>>>  /admin/django_q/ormq/
"""

READ_TOKEN_MAY: Final = {"users/login", "users/logout", "presets/<uuid:preset>/preview"}
"""Unsafe methods that change nothing, or only what the token is."""
BODY_DECIDES: Final = {"users/<str:user>/workspaces", "provisionerjobs/cancel-pending"}
"""What these are about is named in the body, so it is read before anybody is refused."""
SHARED_BY_ALL: Final = {"prebuilds/runs/<int:run>", "cycles/<int:run_id>/"}
"""A cycle is about all organizations; it shows each reader their own decisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    method: str
    status: int
    said: str
    route: str
    is_api: bool

    @property
    def whole(self) -> str:
        """The route as the resolver has it."""
        return f"api/v2/{self.route}" if self.is_api else self.route

    @property
    def verdicts(self) -> str:
        """One letter per caller."""
        return self.said.replace(" ", "")

    @property
    def is_for_machines(self) -> bool:
        """Whether only an agent or a provisioner key is let in."""
        return self.verdicts[1:13] == "1" * 12

    @property
    def is_decided_by_body(self) -> bool:
        """Whether who may do it depends on what the body names."""
        return self.route in BODY_DECIDES

    def write(self, verdicts: list[str]) -> str:
        """Return verdicts as the table would have them."""
        rest = iter(verdicts)
        return "".join(" " if letter == " " else next(rest) for letter in self.said)

    def with_method(self, method: str) -> "Row":
        """Return the row of another method of the same address."""
        return replace(self, method=method)


def _read(table: str, *, is_api: bool) -> list[Row]:
    return [_read_line(line, is_api=is_api) for line in table.strip().splitlines()]


def _read_line(line: str, *, is_api: bool) -> Row:
    method, status, *said, route = line.split()
    row = Row(
        method=method,
        status=int(status),
        said=" ".join(said),
        route=route.removeprefix("/"),
        is_api=is_api,
    )
    assert len(row.verdicts) == len(CALLERS), line
    return row


API_ROWS: Final = _read(API, is_api=True)
PAGE_ROWS: Final = _read(PAGES, is_api=False)
ADMIN_ROWS: Final = _read(ADMIN, is_api=False)
