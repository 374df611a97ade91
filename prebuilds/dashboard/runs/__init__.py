"""The reconciler's cycles: what each did, and one cycle's decisions preset by preset."""
