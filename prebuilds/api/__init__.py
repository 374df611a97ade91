"""JSON for machines, one file per resource. Paths and field names are Coder's where it has them."""
