"""The audit log: who changed what, when, through which door, and what it was before and after."""
