"""Names of secrets and of their keys, as a secretKeyRef has them."""

import re
from collections.abc import Iterator

from felixbgp.resources.errors import FieldError, quote

_NAME = re.compile(r"[A-Za-z0-9][-._A-Za-z0-9]{0,252}")
_KEY = re.compile(r"(?!\.\.)(?!\.$)[-._A-Za-z0-9]{1,253}", re.ASCII)
"""Kubernetes' own rule for the keys of a secret (IsConfigMapKey), which keeps out `..` and the directories
that a mounted secret has beside its keys (`..data`)."""


def secret_faults(name: str, key: str) -> Iterator[FieldError]:
    """Why nothing can be kept under these names; nothing when they are as Kubernetes has them."""
    if _NAME.fullmatch(name) is None:
        yield FieldError("name", quote(name), "is no name of a secret")
    if _KEY.fullmatch(key) is None:
        yield FieldError("key", quote(key), "is no key of a secret")
