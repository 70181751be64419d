"""Resources as documents, written short."""

import json
from typing import cast

from felixbgp.resources import BlockAffinity
from felixbgp.resources.decode import MODELS, AnyResource, Decoded, decode, encode, validate
from felixbgp.resources.keys import ResourceKey


def document(kind: str, spec: object, name: str = "x", **metadata: object) -> dict[str, object]:
    """A resource as JSON gives it."""
    assert kind in MODELS
    return {
        "kind": kind,
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }


def stored(kind: str, spec: object, name: str = "x", **metadata: object) -> tuple[str, bytes]:
    """Its key and its value; `metadata` may hold the namespace."""
    namespace = metadata.get("namespace")
    assert namespace is None or isinstance(namespace, str)
    key = ResourceKey(kind, name, namespace)
    return str(key), json.dumps(document(kind, spec, name, **metadata)).encode()


def read(key: str, value: bytes) -> AnyResource | BlockAffinity:
    """What a valid value of the store stands for."""
    decoded = decode(key, value)
    assert isinstance(decoded, Decoded), decoded
    assert decoded.ignored == ()
    return decoded.value


def refused(kind: str, spec: object, name: str = "x", **metadata: object) -> list[str]:
    """What is wrong with a file, in sentences."""
    found = validate(document(kind, spec, name, **metadata))
    assert isinstance(found, list), found
    return [str(error) for error in found]


def accepted(kind: str, spec: object, name: str = "x", **metadata: object) -> AnyResource:
    """What a valid file stands for; the store gives the same for what is written of it."""
    found = validate(document(kind, spec, name, **metadata))
    assert not isinstance(found, list), found
    assert encode(cast("AnyResource", read(str(found.key), encode(found)))) == encode(found)
    return found
