"""The list of workspaces, and one workspace live."""
