"""What people may ask of the reconciler: its plan, a cycle now, a pause, and its end."""
