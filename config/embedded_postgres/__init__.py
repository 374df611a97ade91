"""A database backend for one machine: starts a private PostgreSQL on first connection.

Used when DATABASE_URL is unset, never imported otherwise. See server.py for the rules.
"""
