"""Incidents of pools and organizations, open and past: what they cost, and what to do."""
