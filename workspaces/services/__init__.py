"""What can be done to workspaces, one public verb per function, each in one transaction.

`builds` asks for work and `jobs` does it; they meet only in the job row.
"""
