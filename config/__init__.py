"""Wiring: settings, addresses, servers. Belongs to no domain; only entry points import it."""
