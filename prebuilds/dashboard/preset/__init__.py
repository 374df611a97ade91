"""One preset: how its pool is, why, what comes next, and what can be done about it."""
