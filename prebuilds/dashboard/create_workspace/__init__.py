"""The page where a person asks for a workspace."""
