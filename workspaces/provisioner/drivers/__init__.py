"""What can build a workspace, one module per provisioner type. No Django, no database in here."""
