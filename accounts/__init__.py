"""Who: users, organizations, groups, roles and tokens. The lowest package; it imports none of ours."""
