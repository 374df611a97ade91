"""The queue of provisioner jobs, and one job with its log."""
