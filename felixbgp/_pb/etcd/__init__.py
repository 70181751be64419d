"""Generated from protos/etcd by protos/generate.py."""
