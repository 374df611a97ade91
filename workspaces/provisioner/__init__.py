"""The daemon that does the jobs, and the drivers it does them with.

Knows the queue only through a Transport, so that the daemon beside the database and one far away
are the same daemon.
"""
