"""The documents we publish, built from the speaker, the fib and the intent, and their form in etcd.

Takes typed snapshots, gives `NodeStatus` values and their proto3 JSON. Decides nothing.
"""
