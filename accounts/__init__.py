"""Who: users, organizations, groups, roles and tokens. The lowest package of ours."""
