"""What can go wrong with the embedded server."""


class ServerError(Exception):
    """The embedded PostgreSQL cannot be used. The text says why and where its log is."""
