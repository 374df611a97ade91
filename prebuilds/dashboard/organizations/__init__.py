"""Organizations: their members and roles there, their groups and what these may spend a day."""
