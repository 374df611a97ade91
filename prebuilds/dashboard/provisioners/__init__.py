"""Who builds workspaces, and the keys that let them in."""
