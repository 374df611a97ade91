"""The command palette: to any page, template, preset or workspace by typing a part of its name."""
