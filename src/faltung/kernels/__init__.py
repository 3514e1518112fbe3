"""Fast CPU code: one row of the registry per kernel."""
