"""Messages of protos/felixbgp, generated."""
