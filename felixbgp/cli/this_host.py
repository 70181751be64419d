"""What the agent of this host keeps on its disk: its documents, for when etcd cannot be asked for them."""

import os
from pathlib import Path
from typing import Any

from felixbgp.cli.store import Stored
from felixbgp.runtime import state_directory
from felixbgp.runtime.settings import node_name
from felixbgp.runtime.settings import state_directory as directory_of
from felixbgp.status.keys import alive_key, status_key
from felixbgp.status.proto_json import DOCUMENT_BYTES_MAX


def own_directory(wanted: str | None, given: dict[str, Any]) -> Path | None:
    """Where the agent of this host keeps its documents; None if it is not the one that is asked for.

    `wanted` is the name of a node, None for all of them. Raises `SettingsError`.
    """
    if wanted is None or given.get("context") is not None or wanted != node_name({}, os.environ):
        return None
    return directory_of(os.environ)


def read_documents(directory: Path, node: str) -> list[Stored]:
    """The documents as they would stand in etcd; the leased one only while its agent runs.

    Raises `StateDirectoryError`.
    """
    found: list[Stored] = []
    files = {status_key(node): state_directory.STATUS}
    if state_directory.is_held(directory):
        files[alive_key(node)] = state_directory.ALIVE
    for key, name in files.items():
        content = state_directory.read_shown(directory / name, DOCUMENT_BYTES_MAX)
        if content is not None:
            found.append(Stored(key, content, 0))
    return found
