"""All templates a person may read: how each stands, and the way to a new one."""
