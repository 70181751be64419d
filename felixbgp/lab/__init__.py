"""Real clusters on one Linux host: network namespaces, real etcd, real agents, real routers.

Used by `make demo`, by tests and by benchmarks. Needs root.
"""
