"""Who asked for a workspace, whether one stood ready, and if not, why."""
