"""Version 1 of what felixbgp publishes, generated."""
