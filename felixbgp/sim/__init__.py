"""Many Agents on a virtual clock with in-memory links, store and kernels; one seed decides everything."""
