"""Decide. No Django, no clock, no I/O: rows come in as plain data, actions go out as plain data.

snapshot → state → actions → admission; docs/semantics.md is the contract, section by section.
"""
