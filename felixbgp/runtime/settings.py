"""What a process is told at its start: flags, then environment, then /etc/felixbgp/agent.toml.

The first of the three that has a value wins, setting by setting; an empty environment variable counts as
none. The names in the environment are Calico's where Calico has one. Every error names the source:

    environment ETCD_ENDPOINTS: endpoint 'ftp://a': the scheme must be http or https
    /etc/felixbgp/agent.toml: etcd.endponts: no such setting; did you mean etcd.endpoints?
"""

import hashlib
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from felixbgp.agent.config import ROUTE_METRIC, ROUTE_PROTOCOL, AgentConfig
from felixbgp.net import Address, AddressError
from felixbgp.runtime.etcd.settings import EtcdSettings, parse_endpoints
from felixbgp.runtime.etcd.settings import SettingsError as EtcdSettingsError

AGENT_FILE = Path("/etc/felixbgp/agent.toml")
SECRETS_DIR = Path("/etc/felixbgp/secrets")
LOG_LEVELS = ("debug", "info", "warning", "error")
DEFAULT_ENDPOINTS = ("http://127.0.0.1:2379",)
_NODE_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9])?")
"""Calico's node names are host names: at most 253 characters, and none that could break a key in etcd."""
_FILE_BYTES_MAX = 1 << 20


class SettingsError(ValueError):
    """A setting that cannot be used; the text names its source and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Everything `felixbgp agent` needs before it can reach the store."""

    node: str
    etcd: EtcdSettings
    router_id: Address | None = None
    """The BGP identifier; None means the node's IPv4 address."""
    route_protocol: int = ROUTE_PROTOCOL
    route_metric: int = ROUTE_METRIC
    log_level: str | None = None
    """None leaves it to BGPConfiguration's logSeverityScreen."""
    secrets_dir: Path = SECRETS_DIR

    @property
    def agent_config(self) -> AgentConfig:
        """The part that the core is told."""
        return AgentConfig(
            node=self.node,
            router_id=self.router_id,
            route_protocol=self.route_protocol,
            route_metric=self.route_metric,
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its dotted name in the file, its environment variable and its flag."""

    name: str
    variable: str
    flag: str
    is_list: bool = False
    """Whether the file may have a list of texts instead of one text with commas."""
    is_integer: bool = False


NODE = Setting("node", "NODENAME", "--node")
ROUTER_ID = Setting("router_id", "CALICO_ROUTER_ID", "--router-id")
LOG_LEVEL = Setting("log_level", "FELIXBGP_LOG_LEVEL", "--log-level")
SECRETS = Setting("secrets_dir", "FELIXBGP_SECRETS_DIR", "--secrets-dir")
PROTOCOL = Setting("route_protocol", "FELIXBGP_ROUTE_PROTOCOL", "--route-protocol", is_integer=True)
METRIC = Setting("route_metric", "FELIXBGP_ROUTE_METRIC", "--route-metric", is_integer=True)
ENDPOINTS = Setting("etcd.endpoints", "ETCD_ENDPOINTS", "--etcd-endpoints", is_list=True)
CA_CERT_FILE = Setting("etcd.ca_cert_file", "ETCD_CA_CERT_FILE", "--etcd-ca-cert-file")
CERT_FILE = Setting("etcd.cert_file", "ETCD_CERT_FILE", "--etcd-cert-file")
KEY_FILE = Setting("etcd.key_file", "ETCD_KEY_FILE", "--etcd-key-file")
USERNAME = Setting("etcd.username", "ETCD_USERNAME", "--etcd-username")
PASSWORD = Setting("etcd.password", "ETCD_PASSWORD", "")  # no flag: every user of the host can read flags

ETCD_SETTINGS = (ENDPOINTS, CA_CERT_FILE, CERT_FILE, KEY_FILE, USERNAME, PASSWORD)
SETTINGS = (NODE, ROUTER_ID, LOG_LEVEL, SECRETS, PROTOCOL, METRIC, *ETCD_SETTINGS)


@dataclass(frozen=True, slots=True)
class Found:
    """A setting's text and the source it came from, as errors name it."""

    text: str
    source: str

    def refuse(self, reason: str) -> SettingsError:
        """The error that says why the text cannot be used."""
        return SettingsError(f"{self.source}: {reason}")


@dataclass(frozen=True, slots=True)
class Sources:
    """The three places a setting can stand in. `flags` and `file` are keyed by dotted name."""

    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    file: Mapping[str, object]
    path: Path

    def find(self, setting: Setting) -> Found | None:
        """The strongest value there is, as text. Raises `SettingsError` for a wrong type in the file."""
        given = self.flags.get(setting.name)
        if given is not None:
            return Found(given, setting.flag)
        exported = self.environ.get(setting.variable, "")
        if exported:
            return Found(exported, f"environment {setting.variable}")
        if setting.name not in self.file:
            return None
        source = f"{self.path}: {setting.name}"
        return Found(_file_text(setting, self.file[setting.name], source), source)


def load(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    path: Path | None = None,
    *,
    hostname: Callable[[], str] = socket.gethostname,
) -> AgentSettings:
    """The agent's settings; `flags` by dotted name (`etcd.endpoints`), None for one that was not given.

    `path` is a file that must exist; None means the usual one, which need not. Raises `SettingsError`.
    """
    sources = Sources(flags, environ, read_file(path), path or AGENT_FILE)
    node = _node(sources.find(NODE), hostname)
    return AgentSettings(
        node=node,
        etcd=_etcd(sources),
        router_id=_router_id(sources.find(ROUTER_ID), node),
        route_protocol=_integer(sources.find(PROTOCOL), 1, 255, ROUTE_PROTOCOL),
        route_metric=_integer(sources.find(METRIC), 1, 2**32 - 1, ROUTE_METRIC),
        log_level=_log_level(sources.find(LOG_LEVEL)),
        secrets_dir=_directory(sources.find(SECRETS)),
    )


def node_name(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    path: Path | None = None,
    *,
    hostname: Callable[[], str] = socket.gethostname,
) -> str:
    """The name of the node we are on, for commands that act on it by default. Raises `SettingsError`."""
    file = read_file(path, unreadable_is_missing=path is None)
    return _node(Sources(flags, environ, file, path or AGENT_FILE).find(NODE), hostname)


def load_etcd(
    flags: Mapping[str, str | None], environ: Mapping[str, str], path: Path | None = None
) -> EtcdSettings:
    """How a command reaches the store, from the same three sources. Raises `SettingsError`.

    The usual file may hold a password and be closed to ordinary users; for them it counts as missing.
    """
    file = read_file(path, unreadable_is_missing=path is None)
    return _etcd(Sources(flags, environ, file, path or AGENT_FILE))


def read_file(path: Path | None, *, unreadable_is_missing: bool = False) -> dict[str, object]:
    """The settings in the file by dotted name; unknown ones are refused. Raises `SettingsError`."""
    wanted = path or AGENT_FILE
    try:
        content = _read_limited(wanted)
    except FileNotFoundError:
        if path is None:
            return {}
        raise SettingsError(f"{wanted}: no such file") from None
    except OSError as error:
        if unreadable_is_missing and isinstance(error, PermissionError):
            return {}
        raise SettingsError(f"{wanted}: {error.strerror}") from error
    try:
        tree = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{wanted}: {error}") from error
    return _known_settings(tree, wanted)


def _read_limited(path: Path) -> bytes:
    """The file's bytes, cut to just above what is reasonable: /dev/zero should not fill the memory."""
    with path.open("rb") as file:
        content = file.read(_FILE_BYTES_MAX + 1)
    if len(content) > _FILE_BYTES_MAX:
        raise SettingsError(f"{path}: more than {_FILE_BYTES_MAX} bytes")
    return content


def _known_settings(tree: Mapping[str, object], path: Path) -> dict[str, object]:
    names = [setting.name for setting in SETTINGS]
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if key == "etcd" and isinstance(value, dict):
            flat.update((f"etcd.{name}", entry) for name, entry in value.items())
        else:
            flat[key] = value
    for name in flat:
        if name not in names:
            close = get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(names)}"
            raise SettingsError(f"{path}: {name}: no such setting{hint}")
    return flat


def _file_text(setting: Setting, value: object, source: str) -> str:
    """A TOML value as the text it would be in the environment."""
    if setting.is_integer:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise SettingsError(f"{source}: an integer is wanted")
    if isinstance(value, str):
        return value
    if setting.is_list:
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return ",".join(value)
        raise SettingsError(f"{source}: a text or a list of texts is wanted")
    raise SettingsError(f"{source}: a text in quotes is wanted")


def _node(found: Found | None, hostname: Callable[[], str]) -> str:
    """The node's name: as given, else the host's in lower case, as Calico has it."""
    if found is None:
        found = Found(hostname().strip().lower(), "the name of this host")
    if not _NODE_NAME.fullmatch(found.text):
        raise found.refuse(f"{found.text!r} is no node name (letters, digits, '.', '_', '-'; at most 253)")
    return found.text


def _router_id(found: Found | None, node: str) -> Address | None:
    """The BGP identifier, or the hash of the node's name for `hash`."""
    if found is None:
        return None
    if found.text == "hash":
        return hashed_router_id(node)
    try:
        address = Address.parse(found.text)
    except AddressError as error:
        raise found.refuse(f"{error}; an IPv4 address or 'hash' is wanted") from error
    if len(address) != 4 or not any(address):
        raise found.refuse(f"{found.text!r} is no BGP identifier; an IPv4 address or 'hash' is wanted")
    return address


def hashed_router_id(node: str) -> Address:
    """Calico's `CALICO_ROUTER_ID=hash`: four octets of SHA-256 of the name, kept out of 224.0.0.0/3."""
    octets = bytearray(hashlib.sha256(node.encode()).digest()[:4])
    if octets[0] > 223:
        octets[0] -= 32
    return Address(bytes(octets))


def _integer(found: Found | None, low: int, high: int, default: int) -> int:
    if found is None:
        return default
    text = found.text
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise found.refuse(f"{text!r} is not a number from {low} to {high}")
    return int(text)


def _directory(found: Found | None) -> Path:
    """The directory of secrets, which may come later. A relative one would depend on where we start."""
    if found is None:
        return SECRETS_DIR
    path = Path(found.text)
    if not path.is_absolute() or "\0" in found.text:
        raise found.refuse(f"{found.text!r} is not the absolute path of a directory")
    return path


def _log_level(found: Found | None) -> str | None:
    if found is None:
        return None
    if found.text.lower() not in LOG_LEVELS:
        raise found.refuse(f"{found.text!r} is not one of {', '.join(LOG_LEVELS)}")
    return found.text.lower()


def _etcd(sources: Sources) -> EtcdSettings:
    cert_file, key_file = sources.find(CERT_FILE), sources.find(KEY_FILE)
    username, password = sources.find(USERNAME), sources.find(PASSWORD)
    _together(cert_file, key_file, CERT_FILE, KEY_FILE)
    _together(username, password, USERNAME, PASSWORD)
    return EtcdSettings(
        endpoints=_endpoints(sources.find(ENDPOINTS)),
        ca_file=_path(sources.find(CA_CERT_FILE)),
        cert_file=_path(cert_file),
        key_file=_path(key_file),
        username=username.text if username else "",
        password=password.text if password else "",
    )


def _together(first: Found | None, second: Found | None, one: Setting, other: Setting) -> None:
    """Refuse one half of a pair."""
    if first is not None and second is None:
        raise first.refuse(f"is of no use without {other.name} ({other.variable})")
    if second is not None and first is None:
        raise second.refuse(f"is of no use without {one.name} ({one.variable})")


def _endpoints(found: Found | None) -> tuple[str, ...]:
    if found is None:
        return DEFAULT_ENDPOINTS
    try:
        endpoints = parse_endpoints(found.text)
    except EtcdSettingsError as error:
        raise found.refuse(str(error)) from error
    if not endpoints:
        raise found.refuse("no endpoint in it")
    return endpoints


def _path(found: Found | None) -> Path | None:
    """The file, which must be readable now: better said at the start than by a failed handshake."""
    if found is None:
        return None
    path = Path(found.text)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise found.refuse(f"{path}: {error.strerror}") from error
