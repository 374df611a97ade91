"""Pages for people: one folder per page, each with its view and its templates."""
