"""The `felixbgp` command: one module per verb."""
