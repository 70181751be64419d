"""The trio shell: etcd, TCP, netlink, clock, telemetry, settings. It translates and decides nothing.

Every effect that can fail is answered by an input.
"""
