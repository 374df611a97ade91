"""The start page: every pool, how warm it is, and why not."""
