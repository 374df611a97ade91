"""Streams that tell a page which of its fragments is stale."""
