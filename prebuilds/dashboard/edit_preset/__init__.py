"""Change a preset: see what it brings before saving, and who changed it before."""
