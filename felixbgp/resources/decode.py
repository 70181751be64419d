"""Stored bytes to resources and back.

`decode` never raises: any bytes give a value or the list of everything that is wrong with them. It reads what
a newer Calico may have written: a field we do not know is ignored, and named, unless it is one of a filter's
rule, which without it would let pass, or keep out, other routes than was meant. `validate` is for what people
write, where an unknown field is a mistake.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from math import isinf
from typing import NamedTuple

from pydantic import ValidationError

from felixbgp.resources.bgp_configuration import BgpConfiguration
from felixbgp.resources.bgp_filter import BgpFilter
from felixbgp.resources.bgp_peer import BgpPeer
from felixbgp.resources.block_affinity import AffinityValue, BlockAffinity
from felixbgp.resources.calico_node_status import CalicoNodeStatus
from felixbgp.resources.errors import (
    UNKNOWN_FIELD,
    FieldError,
    Location,
    field_errors,
    limited,
    path,
    quote,
)
from felixbgp.resources.ip_pool import IpPool, IpPoolSpec
from felixbgp.resources.keys import AffinityKey, ResourceKey, parse_key
from felixbgp.resources.node import Node
from felixbgp.resources.schema import known_fields, unknown_fields, value_at, without
from felixbgp.resources.validation import validated
from felixbgp.resources.workload_endpoint import WorkloadEndpoint

MAX_VALUE_BYTES = 1_572_864
"""What etcd lets one request carry unless told otherwise (--max-request-bytes)."""

MAX_DEPTH = 64
"""Objects and lists inside each other; ours need nine, Kubernetes' managedFields some more."""

AnyResource = Node | BgpConfiguration | BgpPeer | BgpFilter | IpPool | WorkloadEndpoint | CalicoNodeStatus

MODELS: dict[str, type[AnyResource]] = {
    "BGPConfiguration": BgpConfiguration,
    "BGPFilter": BgpFilter,
    "BGPPeer": BgpPeer,
    "CalicoNodeStatus": CalicoNodeStatus,
    "IPPool": IpPool,
    "Node": Node,
    "WorkloadEndpoint": WorkloadEndpoint,
}


FIELD_ORDER = ("kind", "apiVersion", "metadata", "spec", "status")
METADATA_ORDER = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
"""The order in which Go writes an object and its ObjectMeta."""


class Decoded(NamedTuple):
    """A value of the store, and the parts of it that were left out."""

    value: AnyResource | BlockAffinity
    ignored: tuple[FieldError, ...] = ()


def decode(key: str, value: bytes) -> Decoded | list[FieldError]:
    """The resource or block affinity a key and its value stand for, or what is wrong with them."""
    parsed = parse_key(key)
    match parsed:
        case ResourceKey():
            return _decode_resource(parsed, value)
        case AffinityKey():
            return _decode_affinity(parsed, value)
        case None:
            return [FieldError("", quote(key), "is not a key of a resource or a block")]


def prepare(kinds: Iterable[str]) -> None:
    """Do what the first value of each of these kinds would wait for: some three milliseconds a kind."""
    for kind in kinds:
        MODELS[kind].model_rebuild()


def validate(document: object) -> AnyResource | list[FieldError]:
    """A resource of whichever `kind` the object (as JSON or YAML gave it) says, or what is wrong with it."""
    if not isinstance(document, dict):
        return [FieldError("", "", "is not an object")]
    kind = document.get("kind")
    if kind is None:
        return [FieldError("kind", "", "is missing")]
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return [FieldError("kind", quote(kind), f"is not one of {', '.join(sorted(MODELS))}")]
    resource = validated(model, document)
    if isinstance(resource, Node) and resource.malformed_annotations:
        return list(resource.malformed_annotations.values())
    return resource


def encode(resource: AnyResource) -> bytes:
    """The value as calicoctl stores it: one line of JSON, its order of fields, no resourceVersion.

    Fields that were not written and have no value that Calico fills in are left out; creationTimestamp is
    null when nobody set it (it is in every object that Go writes).
    """
    document = resource.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    metadata = document["metadata"]
    metadata.pop("resourceVersion", None)
    metadata.setdefault("creationTimestamp", None)
    if resource.namespace is not None:
        metadata["namespace"] = resource.namespace
    document["metadata"] = {name: metadata[name] for name in sorted(metadata, key=METADATA_ORDER.index)}
    if isinstance(resource, IpPool):
        document["spec"] = _with_pool_defaults(resource, document["spec"])
    ordered = {name: document[name] for name in FIELD_ORDER if name in document}
    ordered.setdefault("spec", {})
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()


def _with_pool_defaults(pool: IpPool, spec: Mapping[str, object]) -> dict[str, object]:
    """The fields that Calico fills in when it stores a pool."""
    filled: dict[str, object] = {
        **spec,
        "vxlanMode": pool.spec.vxlan_mode.value,
        "ipipMode": pool.spec.effective_ipip_mode.value,
        "blockSize": pool.spec.effective_block_size,
        "nodeSelector": str(pool.spec.node_selector),
        "allowedUses": [use.value for use in pool.spec.allowed_uses],
    }
    if filled.pop("nat-outgoing", False):
        filled["natOutgoing"] = True
    filled.pop("ipip", None)
    return {name: filled[name] for name in known_fields(IpPoolSpec) if name in filled}


def _decode_resource(key: ResourceKey, value: bytes) -> Decoded | list[FieldError]:
    document = parse_json(value)
    if isinstance(document, list):
        return document
    found = _tolerant(MODELS[key.kind], document)
    if isinstance(found, list):
        return found
    resource, ignored = found
    if resource.name != key.name:
        reason = f"is not the name in the key, {quote(key.name)}"
        return [FieldError("metadata.name", quote(resource.name), reason)]
    if resource.namespace != key.namespace:
        reason = f"is not the namespace in the key, {quote(key.namespace)}"
        return [FieldError("metadata.namespace", quote(resource.namespace), reason)]
    return Decoded(resource, tuple(ignored))


def _tolerant(
    model: type[AnyResource], document: dict[str, object]
) -> tuple[AnyResource, list[FieldError]] | list[FieldError]:
    """A resource and what was ignored to get it; or what is wrong with the rest."""
    try:
        return model.model_validate(document), []
    except ValidationError:
        unknown = [place for place in unknown_fields(model, document) if not _in_rule(model, place)]
    named = [place for place in unknown if value_at(document, place) not in (None, "")]
    ignored = [FieldError(path(place), "", _IGNORED) for place in named]
    resource, unread = read_known(model, document, unknown)
    if isinstance(resource, list):
        return [_unknown_condition(error) for error in resource]
    ignored += [error._replace(reason=f"{error.reason}; the status is ignored") for error in unread]
    return resource, limited(ignored)


def read_known(
    model: type[AnyResource], document: dict[str, object], unknown: Sequence[Location]
) -> tuple[AnyResource | list[FieldError], list[FieldError]]:
    """The resource a document stands for without its fields at `unknown`; or what is wrong with the rest.

    What is wrong with the status alone is given beside the resource, which is then without one: a report says
    nothing about what is wanted, and whoever wrote it will write the next one.
    """
    rest = without(document, unknown)
    if model is Node and value_at(rest, _BGP) == {} and any(place[:2] == _BGP for place in unknown):
        rest = without(rest, [_BGP])
    found = validated(model, rest)
    if isinstance(found, list) and all(error.field.partition(".")[0] == "status" for error in found):
        return validated(model, without(rest, [("status",)])), found
    return found, []


_IGNORED = "is not known to this version and is ignored"
_UNKNOWN_CONDITION = "is not known to this version; without it the rule would mean something else"

_BGP: Location = ("spec", "bgp")
"""Refused when it is written empty; but one with nothing in it that we know was not."""


def _in_rule(model: type[AnyResource], location: Location) -> bool:
    """Whether a field is one of a rule of a BGPFilter: spec.importV4[0].field, or deeper."""
    return model is BgpFilter and len(location) > 3


def _unknown_condition(error: FieldError) -> FieldError:
    if error.reason != UNKNOWN_FIELD:
        return error
    return error._replace(reason=_UNKNOWN_CONDITION)


def _decode_affinity(key: AffinityKey, value: bytes) -> Decoded | list[FieldError]:
    # An empty value was how the first versions wrote a confirmed affinity.
    document = parse_json(value) if value else {}
    if isinstance(document, list):
        return document
    try:
        stored = AffinityValue.model_validate(document)
    except ValidationError as error:
        return field_errors(error)
    return Decoded(BlockAffinity(key.host, key.cidr, stored.state))


class _RefusedError(ValueError):
    """The text is JSON, but not one we read; the message says why."""


def parse_json(value: bytes) -> dict[str, object] | list[FieldError]:
    """One JSON object, or what is wrong with the bytes."""
    try:
        return _parse_object(value)
    except _RefusedError as error:
        return [FieldError("", "", str(error))]
    except (ValueError, RecursionError) as error:
        return [FieldError("", "", f"is not JSON: {_described(error)}")]


def _parse_object(value: bytes) -> dict[str, object]:
    if len(value) > MAX_VALUE_BYTES:
        raise _RefusedError(f"is longer than {MAX_VALUE_BYTES} bytes")
    text = value.decode()
    if _depth(text) > MAX_DEPTH:
        raise _RefusedError(f"has more than {MAX_DEPTH} objects and lists inside each other")
    document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    if not isinstance(document, dict):
        raise _RefusedError("is not a JSON object")
    if "\\u" in text:
        _check_surrogates(document)
    return document


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object whose names are all different: which of two values was meant is not ours to guess."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _RefusedError(f"has the field {quote(name)} twice")
            seen.add(name)
    return found


def _constant(name: str) -> object:
    raise _RefusedError(f"has the number {name}, which JSON does not know")


def _float(text: str) -> float:
    """What does not fit is no number to us: infinity could not be written out again."""
    number = float(text)
    if isinf(number):
        raise _RefusedError(f"has the number {text[:20]}, which is too large")
    return number


def _check_surrogates(document: dict[str, object]) -> None:
    """Half a surrogate pair is no character and could not be written out again."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _RefusedError("has half of a surrogate pair in a text") from error


_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _depth(text: str) -> int:
    """How many objects and lists stand inside each other, at most."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for character in _STRINGS.sub("", text):
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _described(error: Exception) -> str:
    """What Python says, short, without the value itself."""
    match error:
        case json.JSONDecodeError():
            return f"{error.msg} at line {error.lineno}, character {error.colno}"
        case UnicodeDecodeError():
            return f"byte {error.start + 1} is not UTF-8"
        case _:
            return "a number is too long" if isinstance(error, ValueError) else "it is too deep"
