"""What everybody does for themselves: name, password, API tokens, colours."""
