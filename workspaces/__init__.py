"""What is built, and the queue that builds it: workspaces, builds, jobs, agents."""
