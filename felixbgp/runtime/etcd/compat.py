"""Make `import etcd3` work on protobuf 4 and newer.

etcd3 0.12.0 carries modules generated for protobuf 3, which newer runtimes refuse. Our own modules define the
same messages of the same API, so we register them under etcd3's names; then it imports as it is. Both sets
must not be loaded into one process: the descriptor pool takes a message name only once.
"""

import importlib
import sys
from types import ModuleType

from felixbgp._pb.etcd import auth_pb2, kv_pb2, rpc_pb2

_REPLACED = {
    "etcd3.etcdrpc.auth_pb2": auth_pb2,
    "etcd3.etcdrpc.kv_pb2": kv_pb2,
    "etcd3.etcdrpc.rpc_pb2": rpc_pb2,
}


def register() -> None:
    """Put our generated modules in the place of etcd3's; idempotent, and cheap: etcd3 is not imported."""
    for name, module in _REPLACED.items():
        sys.modules.setdefault(name, module)


def load_etcd3(name: str = "etcd3") -> ModuleType:
    """Import etcd3, or a module of it (`etcd3.transactions`), on any protobuf we support."""
    register()
    return importlib.import_module(name)
