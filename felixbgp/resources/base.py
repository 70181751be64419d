"""What every resource has in common: how fields are spelled, metadata, and rules between fields."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    JsonValue,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
    model_validator,
)

from felixbgp.resources.errors import NOTHING, Fault, FaultsError
from felixbgp.resources.keys import NAMESPACED, ResourceKey

API_VERSION = "projectcalico.org/v3"
DEFAULT_NAMESPACE = "default"

WITHOUT_RULES: Final = {"rules": "left out"}
"""As the context of a validation: only fields are looked at, and no rules between them."""

MAX_ANNOTATION_BYTES = 256 * 1024
"""All annotations of one object together, as in Kubernetes."""

# How Calico spells the words that are not simply capitalised; the first word is always lower case.
_ACRONYMS = {
    "as": "AS",
    "bgp": "BGP",
    "cidrs": "CIDRs",
    "id": "ID",
    "ip": "IP",
    "ipip": "IPIP",
    "ips": "IPs",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "mac": "MAC",
    "vxlan": "VXLAN",
}


def calico_name(field: str) -> str:
    """`num_allowed_local_as_numbers` as `numAllowedLocalASNumbers`."""
    first, *rest = field.split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


class Value(BaseModel):
    """An object in a resource: immutable, every field known, spelled as Calico does.

    A null or an empty text counts as absent, because that is how Go writes an unset field it cannot omit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=calico_name, defer_build=True)

    @classmethod
    def spelling(cls, field: str) -> str:
        """How a document spells a field; pydantic before 2.10 knows no alias of a model that is not built."""
        return cls.model_fields[field].alias or calico_name(field)

    @model_validator(mode="before")
    @classmethod
    def _drop_absent(cls, data: object) -> object:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value is not None and value != ""}
        return data

    @model_validator(mode="after")
    def _check_rules(self, info: ValidationInfo) -> Self:
        if info.context is WITHOUT_RULES:
            return self
        faults = tuple(self.faults())
        if faults:
            raise FaultsError(faults)
        return self

    def faults(self) -> Iterable[Fault]:
        """The rules between fields that are broken; fields by themselves are right when this is asked."""
        return ()


_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)")


def is_name(text: str) -> bool:
    """Whether `text` is a resource name: an RFC 1123 subdomain of at most 253 characters."""
    return len(text) <= 253 and _NAME.fullmatch(text) is not None


_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_namespace(text: str) -> bool:
    """Whether `text` is the name of a namespace: an RFC 1123 label of at most 63 characters."""
    return _NAMESPACE.fullmatch(text) is not None


def _check_namespace(text: str) -> str:
    if not is_namespace(text):
        raise ValueError("is not a namespace (lower case letters, digits and -, at most 63)")
    return text


def _check_name(text: str) -> str:
    if not is_name(text):
        raise ValueError("is not a name (lower case letters, digits, - and ., at most 253)")
    return text


def is_label_name(text: str) -> bool:
    """Whether `text` is the key of a label: at most 63 characters, after an optional `domain/`."""
    domain, slash, name = text.rpartition("/")
    if slash and not is_name(domain):
        return False
    return len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Whether `text` is the value of a label, which may be empty."""
    return not text or (len(text) <= 63 and _QUALIFIED.fullmatch(text) is not None)


Name = Annotated[StrictStr, AfterValidator(_check_name)]
Namespace = Annotated[StrictStr, AfterValidator(_check_namespace)]


class Metadata(Value):
    """Kubernetes ObjectMeta. What is not named here but known to Kubernetes is kept and not looked at."""

    name: Name
    """Name of the resource: an RFC 1123 subdomain of at most 253 characters."""
    generate_name: StrictStr | None = None
    """Kubernetes'; kept."""
    namespace: Namespace | None = None
    """For kinds with namespaces; `default` unless set."""
    self_link: StrictStr | None = None
    """Kubernetes'; kept."""
    uid: StrictStr | None = None
    """Given at creation."""
    resource_version: StrictStr | None = None
    """The revision of etcd at which it was written; not stored."""
    generation: StrictInt | None = None
    """Kubernetes'; kept."""
    creation_timestamp: StrictStr | None = None
    """Given at creation."""
    deletion_timestamp: StrictStr | None = None
    """Kubernetes'; kept."""
    deletion_grace_period_seconds: StrictInt | None = None
    """Kubernetes'; kept."""
    labels: dict[StrictStr, StrictStr] = {}
    """What selectors compare."""
    annotations: dict[StrictStr, StrictStr] = {}
    """At most 256 KiB together. Those of Nodes that begin with `projectcalico.org/` may stand for fields of
    `spec.bgp`.
    """
    owner_references: JsonValue = None
    """Kubernetes'; kept."""
    finalizers: JsonValue = None
    """Kubernetes'; kept."""
    managed_fields: JsonValue = None
    """Kubernetes'; kept."""

    def faults(self) -> Iterator[Fault]:
        """Kubernetes' rules for labels and annotations, which Calico's validator has too."""
        for key, value in self.labels.items():
            if not is_label_name(key):
                yield Fault(("labels",), key, "is not a label name ([domain/]name, the name at most 63)")
            if not is_label_value(value):
                yield Fault(("labels", key), value, "is not a label value (at most 63 of a-z A-Z 0-9 - _ .)")
        for key in self.annotations:
            if not is_label_name(key.lower()):
                yield Fault(("annotations",), key, "is not an annotation name ([domain/]name)")
        size = sum(len(part.encode()) for item in self.annotations.items() for part in item)
        if size > MAX_ANNOTATION_BYTES:
            yield Fault(
                ("annotations",), NOTHING, f"has {size} bytes, which is more than {MAX_ANNOTATION_BYTES}"
            )


class Resource(Value):
    """An object of Calico's API, version 3. Subclasses fix `kind` and add `spec`."""

    kind: str
    api_version: Literal["projectcalico.org/v3"]
    metadata: Metadata

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def namespace(self) -> str | None:
        """`metadata.namespace`, `default` when none was written; None for kinds that have no namespaces."""
        return self.metadata.namespace or DEFAULT_NAMESPACE if self.kind in NAMESPACED else None

    @property
    def key(self) -> ResourceKey:
        """Where the resource is stored."""
        return ResourceKey(self.kind, self.name, self.namespace)

    @property
    def labels(self) -> dict[str, str]:
        """`metadata.labels`."""
        return self.metadata.labels


class SecretKeySelector(Value):
    """A key of a Kubernetes secret. Both names are refused when written if Kubernetes could not have them."""

    name: StrictStr
    """Name of the secret: a directory below `secrets_dir`, or part of the key in etcd."""
    key: StrictStr
    """Key in the secret: the name of the file."""
    optional: StrictBool | None = None
    """true: without the secret there is a session without password."""


class Password(Value):
    """Where a password is kept; the password itself never stands in a resource."""

    secret_key_ref: SecretKeySelector | None = None
    """The secret and its key."""
