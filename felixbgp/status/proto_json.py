"""Documents as proto3 JSON: deterministic, and readable as `etcdctl get` prints them.

Fields are in the order of the schema, one a line; a list of objects has a line per object.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from felixbgp.net import Prefix, PrefixError

DOCUMENT_BYTES_MAX = 4 << 20
"""What is read at most: etcd takes requests of 1.5 MiB by default, some operators allow more."""
_MILLISECOND_NS = 1_000_000

_AnyMessage = TypeVar("_AnyMessage", bound=Message)


class DocumentError(ValueError):
    """A stored value that is no document of ours; the text names the field, if one is to blame, and why."""


def to_json(message: Message, ready: Mapping[str, Sequence[str]] = MappingProxyType({})) -> bytes:
    """The message as JSON, with the fields that have their default value.

    `ready` has the lines, see `line_of`, of lists whose objects are not in the message.
    """
    shown = {name: _value_json(value) for name, value in _tree(message).items()}
    shown |= {name: _lines(lines) for name, lines in ready.items()}
    fields = ",\n".join(f" {json.dumps(name)}: {value}" for name, value in shown.items())
    return f"{{\n{fields}\n}}\n".encode()


def line_of(message: Message) -> str:
    """The message as one object of a list."""
    return _line(_tree(message))


def from_json(value: bytes, message: _AnyMessage) -> _AnyMessage:
    """Fill a message; unknown fields are ignored. Raises `DocumentError`."""
    if len(value) > DOCUMENT_BYTES_MAX:
        raise DocumentError(f"{len(value)} bytes are more than a document may have")
    try:
        tree = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON: {error}") from error
    if not isinstance(tree, dict):
        raise DocumentError("not a JSON object")
    try:
        return ParseDict(tree, message, ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        raise DocumentError(str(error)) from error


def timestamp_of(wall_ns: int) -> Timestamp:
    """In whole milliseconds: finer says nothing to a reader and makes long lines."""
    timestamp = Timestamp()
    timestamp.FromNanoseconds(wall_ns - wall_ns % _MILLISECOND_NS)
    return timestamp


def text_of(text: str) -> str:
    """The text with what UTF-8 cannot carry (lone surrogates) replaced; protobuf refuses it."""
    return text.encode(errors="replace").decode()


def prefix_of(path: str, text: str) -> Prefix:
    """A prefix that stands in the field `path`. Raises `DocumentError`."""
    try:
        return Prefix.parse(text)
    except PrefixError as error:
        raise DocumentError(f"{path}: {error}") from error


def _tree(message: Message) -> dict[str, object]:
    tree = MessageToDict(message, always_print_fields_with_no_presence=True)
    return _in_schema_order(tree, cast("Descriptor", message.DESCRIPTOR))


def _in_schema_order(tree: dict[str, object], descriptor: Descriptor) -> dict[str, object]:
    """The same object with its fields as the schema lists them; protobuf puts empty ones last."""
    ordered: dict[str, object] = {}
    for field in descriptor.fields:
        if field.json_name in tree:
            ordered[field.json_name] = _field_in_schema_order(tree[field.json_name], field.message_type)
    return ordered


def _field_in_schema_order(value: object, descriptor: Descriptor | None) -> object:
    if isinstance(value, dict) and descriptor is not None:
        if descriptor.GetOptions().map_entry:
            return dict(sorted(value.items()))
        return _in_schema_order(value, descriptor)
    if isinstance(value, list):
        return [_field_in_schema_order(entry, descriptor) for entry in value]
    return value


def _value_json(value: object) -> str:
    """One line, but for lists of objects: those get a line per object."""
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return _lines([_line(entry) for entry in value])
    return _line(value)


def _lines(lines: Sequence[str]) -> str:
    return "[\n  " + ",\n  ".join(lines) + "\n ]" if lines else "[]"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
