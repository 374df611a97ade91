"""A database backend whose transactions are read-only, by their BEGIN alone."""
