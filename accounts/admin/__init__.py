"""The admin pages of people. `base` is what the pages of the other packages are made from."""

from django.contrib import admin
from django.contrib.auth.models import Group as DjangoGroup

from accounts.admin import door
from accounts.admin.groups import GroupAdmin, GroupMembershipAdmin
from accounts.admin.history import AuditEntryAdmin
from accounts.admin.organizations import MembershipAdmin, OrganizationAdmin
from accounts.admin.tokens import TokenAdmin
from accounts.admin.users import UserAdmin
from accounts.models import (
    AuditEntry,
    Group,
    GroupMembership,
    Membership,
    Organization,
    Token,
    User,
)

admin.site.login = door.sign_in  # type: ignore[method-assign]
admin.site.unregister(DjangoGroup)  # its permission tables mean nothing here
admin.site.register(User, UserAdmin)
admin.site.register(Organization, OrganizationAdmin)
admin.site.register(Membership, MembershipAdmin)
admin.site.register(Group, GroupAdmin)
admin.site.register(GroupMembership, GroupMembershipAdmin)
admin.site.register(Token, TokenAdmin)
admin.site.register(AuditEntry, AuditEntryAdmin)
