"""Files with settings: our TOML, and the YAML or JSON that calicoctl has in /etc/calico/calicoctl.cfg.

    node = "node-1"                          what the agent is told
    current_context = "production"           what commands use unless told otherwise
    [etcd]
    endpoints = ["https://10.0.0.5:2379"]
    [contexts.production]                    another etcd by name: the settings of [etcd]
    endpoints = ["https://10.1.0.5:2379"]

calicoctl's form is libcalico-go/lib/apiconfig/apiconfig.go; of it only what concerns etcd is used.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

FILE_BYTES_MAX = 1 << 20
"""A file of settings holds some certificates at most."""
_ETCD = "etcd."
_CURRENT_CONTEXT = "current_context"
_CONTEXTS = "contexts"


class SettingsError(ValueError):
    """A setting that cannot be used; the text names its source and why."""


class Written(NamedTuple):
    """A value as it stands in a file, and the name it has there."""

    value: object
    name: str


Values = Mapping[str, Written]
"""By the dotted names of `Setting`, such as `etcd.endpoints`."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a file says; nothing for one that is not there."""

    path: Path
    values: Values = field(default_factory=dict)
    contexts: Mapping[str, Values] = field(default_factory=dict)
    current_context: str = ""

    @property
    def tells_of_etcd(self) -> bool:
        """Whether it says how etcd is reached."""
        return any(name.startswith(_ETCD) for name in self.values)


def read(path: Path, known: Sequence[str], *, empty_if: tuple[type[OSError], ...] = ()) -> SettingsFile:
    """The settings in a file; `known` are the names there are.

    `empty_if` are the errors of reading it that make it count as empty. Raises `SettingsError` for others,
    and for a name that is not known.
    """
    try:
        content = _read_limited(path)
    except empty_if:
        return SettingsFile(path)
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: no such file") from error
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    try:
        text = content.decode()
        if _LIKE_CALICOCTL.search(text):
            return SettingsFile(path, _calicoctl_values(path, text))
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, SettingsError) else SettingsError(f"{path}: {error}") from error
    return _of_tree(path, tree, known)


def _read_limited(path: Path) -> bytes:
    """The file's bytes, cut to just above what is reasonable: /dev/zero should not fill the memory."""
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(f"{path}: more than {FILE_BYTES_MAX} bytes")
    return content


# ---- ours


def _of_tree(path: Path, tree: dict[str, object], known: Sequence[str]) -> SettingsFile:
    contexts = tree.pop(_CONTEXTS, {})
    current = tree.pop(_CURRENT_CONTEXT, "")
    if not isinstance(contexts, dict) or not all(isinstance(table, dict) for table in contexts.values()):
        raise SettingsError(f"{path}: {_CONTEXTS}: tables are wanted, [{_CONTEXTS}.NAME]")
    if not isinstance(current, str):
        raise SettingsError(f"{path}: {_CURRENT_CONTEXT}: a text in quotes is wanted")
    return SettingsFile(
        path,
        _flattened(path, tree, known),
        {name: _context(path, name, table, known) for name, table in contexts.items()},
        current,
    )


def _flattened(path: Path, tree: Mapping[str, object], known: Sequence[str]) -> Values:
    flat: dict[str, Written] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update((f"{key}.{name}", Written(entry, f"{key}.{name}")) for name, entry in value.items())
        else:
            flat[key] = Written(value, key)
    _refuse_unknown(path, "", flat, [*known, _CURRENT_CONTEXT])
    return flat


def _context(path: Path, name: str, table: Mapping[str, object], known: Sequence[str]) -> Values:
    prefix = f"{_CONTEXTS}.{name}."
    _refuse_unknown(path, prefix, table, [entry.removeprefix(_ETCD) for entry in known if _ETCD in entry])
    if "endpoints" not in table:
        raise SettingsError(f"{path}: {prefix}endpoints: is missing")
    return {f"{_ETCD}{key}": Written(value, f"{prefix}{key}") for key, value in table.items()}


def _refuse_unknown(path: Path, prefix: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"there are: {', '.join(known)}"
            raise SettingsError(f"{path}: {prefix}{name}: no such setting; {hint}")


# ---- calicoctl's

_LIKE_CALICOCTL = re.compile(r"""^\s*[{"']*\s*["']?(apiVersion|kind)["']?\s*:""", re.MULTILINE)
_API_VERSION = "projectcalico.org/v3"
_KIND = "CalicoAPIConfig"
_DATASTORE_TYPE = "datastoreType"
_DISCOVERY = "etcdDiscoverySrv"
_OF_ETCD = {
    "etcdEndpoints": "etcd.endpoints",
    "etcdUsername": "etcd.username",
    "etcdPassword": "etcd.password",
    "etcdCACertFile": "etcd.ca_cert_file",
    "etcdCertFile": "etcd.cert_file",
    "etcdKeyFile": "etcd.key_file",
    "etcdCACert": "etcd.ca_cert",
    "etcdCert": "etcd.cert",
    "etcdKey": "etcd.key",
}
_OF_KUBERNETES = (
    "kubeconfig",
    "kubeconfigInline",
    "k8sAPIEndpoint",
    "k8sKeyFile",
    "k8sCertFile",
    "k8sCAFile",
    "k8sAPIToken",
    "k8sInsecureSkipTLSVerify",
    "k8sDisableNodePoll",
    "k8sClientQPS",
    "k8sCurrentContext",
    "usePodCIDR",
    "calicoAPIGroup",
)
"""Allowed beside etcd's settings, and of no use then."""


def check_datastore_type(value: object, source: str) -> None:
    """Refuse every datastore but etcd; nothing at all means etcd. Raises `SettingsError`."""
    if value not in (None, "", "etcdv3"):
        raise SettingsError(f"{source}: {value!r}: resources are kept in etcd; only 'etcdv3' can be used")


def _calicoctl_values(path: Path, text: str) -> Values:
    spec = _spec(path, text)
    known = (*_OF_ETCD, _DATASTORE_TYPE, _DISCOVERY, *_OF_KUBERNETES)
    _refuse_unknown(path, "spec.", spec, known)
    check_datastore_type(spec.get(_DATASTORE_TYPE), f"{path}: spec.{_DATASTORE_TYPE}")
    if spec.get(_DISCOVERY):
        raise SettingsError(f"{path}: spec.{_DISCOVERY}: not supported; list the endpoints in etcdEndpoints")
    if not spec.get("etcdEndpoints"):
        raise SettingsError(f"{path}: spec.etcdEndpoints: is missing; only etcd can be used, not Kubernetes")
    return {name: Written(spec[key], f"spec.{key}") for key, name in _OF_ETCD.items() if spec.get(key)}


def _spec(path: Path, text: str) -> dict[str, object]:
    # Loaded late: hardly anybody has this file, and our own form needs no YAML.
    import yaml  # noqa: PLC0415

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: an object is wanted")
    if document.get("apiVersion") != _API_VERSION:
        raise SettingsError(f"{path}: apiVersion: {document.get('apiVersion')!r} is not {_API_VERSION!r}")
    if document.get("kind") != _KIND:
        raise SettingsError(f"{path}: kind: {document.get('kind')!r} is not {_KIND!r}")
    _refuse_unknown(path, "", document, ("apiVersion", "kind", "metadata", "spec"))
    spec = document.get("spec") or {}
    if not isinstance(spec, dict):
        raise SettingsError(f"{path}: spec: an object is wanted")
    return spec
