"""The policy table, written out a second time, so that a change needs two people's nod.

Letters: c(reate) r(ead) u(pdate) d(elete). Columns: in the role's own organization, in another
organization, and nowhere in particular (site-wide).
"""

from uuid import uuid4

import pytest

from accounts import policy
from accounts.models import User
from accounts.policy import Action, Resource
from accounts.system import PREBUILDS_USER_ID
from tests.factories import default_organization, make_organization, make_user

pytestmark = pytest.mark.django_db

R = Resource
LETTERS = {
    "c": Action.CREATE,
    "r": Action.READ,
    "u": Action.UPDATE,
    "d": Action.DELETE,
}
SITE_MATRIX = {
    "owner": {
        R.USER: "crud",
        R.ORGANIZATION: "crud",
        R.ORGANIZATION_MEMBER: "crud",
        R.GROUP: "crud",
        R.TEMPLATE: "crud",
        R.WORKSPACE: "crud",
        R.PREBUILT_WORKSPACE: "ud",
        R.PROVISIONER: "crud",
        R.PREBUILDS_SETTINGS: "crud",
        R.RECONCILE_RUN: "crud",
        R.AUDIT_LOG: "crud",
    },
    "template-admin": {
        R.USER: "r",
        R.ORGANIZATION: "r",
        R.ORGANIZATION_MEMBER: "r",
        R.GROUP: "r",
        R.TEMPLATE: "crud",
        R.WORKSPACE: "r",
        R.PREBUILT_WORKSPACE: "ud",
        R.PROVISIONER: "crud",
        R.PREBUILDS_SETTINGS: "ru",
        R.RECONCILE_RUN: "cr",
        R.AUDIT_LOG: "",
    },
    "user-admin": {
        R.USER: "crud",
        R.ORGANIZATION: "r",
        R.ORGANIZATION_MEMBER: "crud",
        R.GROUP: "crud",
        R.TEMPLATE: "",
        R.WORKSPACE: "",
        R.PREBUILT_WORKSPACE: "",
        R.PROVISIONER: "",
        R.PREBUILDS_SETTINGS: "",
        R.RECONCILE_RUN: "",
        R.AUDIT_LOG: "",
    },
    "auditor": {
        R.USER: "r",
        R.ORGANIZATION: "r",
        R.ORGANIZATION_MEMBER: "r",
        R.GROUP: "r",
        R.TEMPLATE: "r",
        R.WORKSPACE: "r",
        R.PREBUILT_WORKSPACE: "",
        R.PROVISIONER: "r",
        R.PREBUILDS_SETTINGS: "r",
        R.RECONCILE_RUN: "r",
        R.AUDIT_LOG: "r",
    },
}
ORGANIZATION_MATRIX = {
    "organization-admin": {
        R.USER: "r",
        R.ORGANIZATION: "ru",
        R.ORGANIZATION_MEMBER: "crud",
        R.GROUP: "crud",
        R.TEMPLATE: "crud",
        R.WORKSPACE: "crud",
        R.PREBUILT_WORKSPACE: "ud",
        R.PROVISIONER: "crud",
        R.PREBUILDS_SETTINGS: "",
        R.RECONCILE_RUN: "r",
        R.AUDIT_LOG: "",
    },
    "organization-template-admin": {
        R.USER: "",
        R.ORGANIZATION: "r",
        R.ORGANIZATION_MEMBER: "r",
        R.GROUP: "r",
        R.TEMPLATE: "crud",
        R.WORKSPACE: "r",
        R.PREBUILT_WORKSPACE: "ud",
        R.PROVISIONER: "r",
        R.PREBUILDS_SETTINGS: "",
        R.RECONCILE_RUN: "r",
        R.AUDIT_LOG: "",
    },
    "organization-auditor": {
        R.USER: "",
        R.ORGANIZATION: "r",
        R.ORGANIZATION_MEMBER: "r",
        R.GROUP: "r",
        R.TEMPLATE: "r",
        R.WORKSPACE: "r",
        R.PREBUILT_WORKSPACE: "",
        R.PROVISIONER: "r",
        R.PREBUILDS_SETTINGS: "",
        R.RECONCILE_RUN: "r",
        R.AUDIT_LOG: "",
    },
    "member": {
        R.USER: "",
        R.ORGANIZATION: "r",
        R.ORGANIZATION_MEMBER: "",
        R.GROUP: "",
        R.TEMPLATE: "r",
        R.WORKSPACE: "",
        R.PREBUILT_WORKSPACE: "",
        R.PROVISIONER: "",
        R.PREBUILDS_SETTINGS: "",
        R.RECONCILE_RUN: "",
        R.AUDIT_LOG: "",
    },
}
NOTHING = dict.fromkeys(Resource, "")


def allowed(user: User, resource: Resource, **where) -> str:
    """Return the letters of what `can` allows, in the order c r u d."""
    return "".join(
        letter for letter, action in LETTERS.items() if policy.can(user, action, resource, **where)
    )


def matrix_of(user: User, **where) -> dict[Resource, str]:
    return {resource: allowed(user, resource, **where) for resource in Resource}


def test_the_tables_here_name_every_role_resource_and_action():
    assert set(SITE_MATRIX) == set(policy.SITE)
    assert set(ORGANIZATION_MATRIX) - {"member"} == set(policy.ORGANIZATION)
    assert set(LETTERS.values()) == set(Action)
    for matrix in (*SITE_MATRIX.values(), *ORGANIZATION_MATRIX.values()):
        assert set(matrix) == set(Resource)


@pytest.mark.parametrize("role", SITE_MATRIX)
@pytest.mark.parametrize("where", ["no organization", "own", "another"])
def test_a_site_role_holds_everywhere(role, where):
    user = make_user(roles=[role], organization=make_organization())
    organization = {
        "no organization": None,
        "own": user.organizations.get().pk,
        "another": make_organization().pk,
    }[where]

    found = matrix_of(user, organization_id=organization, owner_id=uuid4())

    membership = ORGANIZATION_MATRIX["member"] if where == "own" else NOTHING
    assert found == {
        resource: "".join(x for x in LETTERS if x in letters + membership[resource])
        for resource, letters in SITE_MATRIX[role].items()
    }


@pytest.mark.parametrize("role", ORGANIZATION_MATRIX)
def test_an_organization_role_holds_in_its_organization(role):
    organization = make_organization()
    roles = [] if role == "member" else [role]
    user = make_user(organization=organization, organization_roles=roles)

    found = matrix_of(user, organization_id=organization.pk, owner_id=uuid4())

    assert found == ORGANIZATION_MATRIX[role]


@pytest.mark.parametrize("role", ORGANIZATION_MATRIX)
@pytest.mark.parametrize("elsewhere", ["another organization", "no organization"])
def test_an_organization_role_holds_nowhere_else(role, elsewhere):
    roles = [] if role == "member" else [role]
    user = make_user(organization=make_organization(), organization_roles=roles)
    organization = make_organization().pk if elsewhere == "another organization" else None

    found = matrix_of(user, organization_id=organization, owner_id=uuid4())

    assert found == NOTHING


def test_everybody_may_do_everything_with_their_own_workspace():
    user = make_user()
    where = {"organization_id": default_organization().pk, "owner_id": user.pk}

    assert allowed(user, Resource.WORKSPACE, **where) == "crud"
    assert allowed(user, Resource.PREBUILT_WORKSPACE, **where) == ""


def test_what_is_ones_own_in_an_organization_one_is_no_member_of_is_out_of_reach():
    user = make_user(organization=make_organization())
    where = {"organization_id": make_organization().pk, "owner_id": user.pk}

    assert allowed(user, Resource.WORKSPACE, **where) == ""


def test_everybody_may_read_and_change_themselves_but_not_delete():
    user = make_user()

    assert allowed(user, Resource.USER, owner_id=user.pk) == "ru"


@pytest.mark.parametrize("state", ["inactive", "system"])
def test_an_inactive_owner_and_the_system_user_may_nothing(state):
    if state == "inactive":
        user = make_user(roles=["owner"])
        user.is_active = False
    else:
        user = User.with_system.get(pk=PREBUILDS_USER_ID)
    where = {"organization_id": default_organization().pk, "owner_id": user.pk}

    assert matrix_of(user, **where) == NOTHING
    assert not policy.can_delete_workspace(user, **where)


DELETE_TABLE = [
    # role, own organization: a prebuild, a person's; another organization's: a prebuild, a person's
    ("owner", True, True, True, True),
    ("template-admin", True, False, True, False),
    ("user-admin", False, False, False, False),
    ("auditor", False, False, False, False),
    ("organization-admin", True, True, False, False),
    ("organization-template-admin", True, False, False, False),
    ("organization-auditor", False, False, False, False),
    ("member", False, False, False, False),
]


@pytest.mark.parametrize(
    ("role", "prebuild", "persons", "far_prebuild", "far_persons"), DELETE_TABLE
)
def test_who_may_delete_workspaces(role, prebuild, persons, far_prebuild, far_persons):
    here, there = make_organization(), make_organization()
    user = make_user(
        organization=here,
        roles=[role] if role in SITE_MATRIX else [],
        organization_roles=[role] if role.startswith("organization-") else [],
    )
    somebody = uuid4()

    found = [
        policy.can_delete_workspace(user, organization_id=where.pk, owner_id=owner)
        for where in (here, there)
        for owner in (PREBUILDS_USER_ID, somebody)
    ]

    assert found == [prebuild, persons, far_prebuild, far_persons]


def test_a_member_may_delete_their_own_workspace():
    user = make_user()

    assert policy.can_delete_workspace(
        user, organization_id=default_organization().pk, owner_id=user.pk
    )


def test_one_subject_reads_its_memberships_once(django_assert_num_queries):
    user = make_user()
    where = {"organization_id": default_organization().pk, "owner_id": uuid4()}

    with django_assert_num_queries(1):
        matrix_of(user, **where)
        policy.can_delete_workspace(user, **where)


def test_readable_organizations_of_each_role():
    organization = make_organization()

    def readable(resource, **roles):
        user = make_user(organization=organization, **roles)
        return policy.subject_of(user).readable_organizations(resource)

    assert readable(Resource.WORKSPACE, roles=["auditor"]) is None
    assert readable(Resource.WORKSPACE, roles=["user-admin"]) == set()
    assert readable(Resource.WORKSPACE) == set()
    assert readable(Resource.TEMPLATE) == {organization.pk}
    assert readable(Resource.WORKSPACE, organization_roles=["organization-auditor"]) == {
        organization.pk
    }


GRANTS = [
    ({"roles": ["owner"]}, set(SITE_MATRIX), set(ORGANIZATION_MATRIX) - {"member"}),
    (
        {"roles": ["template-admin"]},
        {"template-admin"},
        {"organization-template-admin", "organization-auditor"},
    ),
    ({"roles": ["user-admin"]}, {"user-admin"}, set()),
    ({"roles": ["auditor"]}, {"auditor"}, {"organization-auditor"}),
    (
        {"organization_roles": ["organization-admin"]},
        set(),
        {"organization-admin", "organization-template-admin", "organization-auditor"},
    ),
    ({"organization_roles": ["organization-auditor"]}, set(), {"organization-auditor"}),
    ({}, set(), set()),
]


@pytest.mark.parametrize(("held", "site", "organization"), GRANTS)
def test_roles_that_allow_no_more_than_the_giver_may_are_theirs_to_give(held, site, organization):
    user, here = make_user(**held), default_organization().pk

    assert set(policy.grantable_roles(user)) == site
    assert set(policy.grantable_roles(user, organization_id=here)) == organization
    assert policy.may_grant(user, site)
    assert not policy.may_grant(user, {*site, "unknown"})


def test_a_role_held_in_one_organization_gives_none_in_another():
    user = make_user(organization_roles=["organization-admin"])

    assert policy.grantable_roles(user, organization_id=make_organization().pk) == []


def test_nobody_changes_who_holds_more_here_or_in_an_organization():
    admin = make_user(roles=["user-admin"])

    assert policy.may_change(admin, make_user())
    assert policy.may_change(admin, make_user(roles=["user-admin"]))
    assert not policy.may_change(admin, make_user(roles=["template-admin"]))
    assert not policy.may_change(admin, make_user(organization_roles=["organization-auditor"]))
    assert policy.may_change(make_user(roles=["owner"]), make_user(roles=["owner"]))


class TestPeopleWhoCan:
    """A list of people, which must say of each what `can` says."""

    def everybody(self):
        home, away = default_organization(), make_organization()
        for role in ("owner", "template-admin", "user-admin", "auditor"):
            make_user(f"site-{role}", roles=[role])
        for role in ("organization-admin", "organization-template-admin", "organization-auditor"):
            make_user(f"home-{role}", organization=home, organization_roles=[role])
            make_user(f"away-{role}", organization=away, organization_roles=[role])
        make_user("member")
        suspended = make_user("suspended", roles=["owner"])
        suspended.is_active = False
        suspended.save()
        return home, away

    @pytest.mark.parametrize("action", Action)
    @pytest.mark.parametrize("resource", Resource)
    def test_it_agrees_with_can(self, action, resource):
        places = self.everybody()

        found = policy.people_who_can(
            action, resource, organization_ids=[place.pk for place in places]
        )

        for place in places:
            allowed = {
                user.username
                for user in User.with_system.all()
                if policy.can(user, action, resource, organization_id=place.pk)
            }
            assert {user.username for user in found[place.pk]} == allowed

    def test_it_takes_two_statements(self, django_assert_num_queries):
        places = self.everybody()

        with django_assert_num_queries(2):
            policy.people_who_can(
                Action.UPDATE, R.TEMPLATE, organization_ids=[place.pk for place in places]
            )
