"""What a process is told at its start: flags, then environment, then /etc/felixbgp/agent.toml.

The first of the three that has a value wins, setting by setting; an empty environment variable counts as
none. The names in the environment are Calico's where Calico has one. Every error names the source:

    environment ETCD_ENDPOINTS: endpoint 'ftp://a': the scheme must be http or https
    /etc/felixbgp/agent.toml: etcd.endponts: no such setting; did you mean etcd.endpoints?

Commands other than the agent may also be told of an etcd by name, as a context: see `contexts`.
"""

import hashlib
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from felixbgp.agent.config import DRAINING_SECONDS, ROUTE_METRIC, ROUTE_PROTOCOL, ROUTE_TABLE, AgentConfig
from felixbgp.bgp.inputs import Endpoint
from felixbgp.fib.foreign import PROTOCOL_NAMES
from felixbgp.net import Address, AddressError
from felixbgp.runtime.etcd.settings import EtcdSettings, parse_endpoints
from felixbgp.runtime.etcd.settings import SettingsError as EtcdSettingsError
from felixbgp.runtime.settings_file import SettingsError, Values, check_datastore_type, read

AGENT_FILE = Path("/etc/felixbgp/agent.toml")
SECRETS_DIR = Path("/etc/felixbgp/secrets")
STATE_DIRECTORY = Path("/var/lib/felixbgp")
NO_DIRECTORY = "none"
LOG_LEVELS = ("debug", "info", "warning", "error")
OTLP_PROTOCOLS = ("http/protobuf", "grpc")
"""The first is what OpenTelemetry's specification wants to be the default."""
OTLP_SCHEMES = ("http", "https", "unix")
DEFAULT_ENDPOINTS = ("http://127.0.0.1:2379",)
DEFAULT_HEALTH = Endpoint(Address.parse("127.0.0.1"), 9178)
LOOPBACK_V6 = Address.parse("::1")
NOWHERE = "none"
_NODE_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9])?")
"""Calico's node names are host names: at most 253 characters, and none that could break a key in etcd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Who is told of traces and metrics; nobody, unless set."""

    otlp_endpoint: str | None = None
    """An OpenTelemetry collector, as a URL; what it wants to see of us is in OTEL_EXPORTER_OTLP_HEADERS."""
    otlp_protocol: str = "http/protobuf"
    prometheus: Endpoint | None = None
    """Where metrics can be read in Prometheus' form."""

    @property
    def is_on(self) -> bool:
        """Whether anybody is told."""
        return self.otlp_endpoint is not None or self.prometheus is not None


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Our certificate and its key, and the authority that signed those of others; PEM.

    They are read for each connection, so that renewed ones count from then on.
    """

    cert_file: Path
    key_file: Path
    ca_file: Path


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """Where an agent answers to who has a certificate; the address is one of the node's own."""

    endpoint: Endpoint
    tls: TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Everything `felixbgp agent` needs before it can reach the store."""

    node: str
    etcd: EtcdSettings
    router_id: Address | None = None
    """The BGP identifier; None means the node's IPv4 address."""
    route_protocol: int = ROUTE_PROTOCOL
    route_metric: int = ROUTE_METRIC
    route_table: int = ROUTE_TABLE
    take_over: tuple[int, ...] = ()
    """The rtm_protocol of those whose kernel routes become ours at the start."""
    no_kernel: bool = False
    """Whether the node only reflects: no route is written into its kernel, and nothing read from it."""
    draining_seconds: int = DRAINING_SECONDS
    """How long the session with a peer that is wanted no more may stay; 0 for not at all."""
    log_level: str | None = None
    """None leaves it to BGPConfiguration's logSeverityScreen."""
    secrets_dir: Path = SECRETS_DIR
    state_directory: Path | None = STATE_DIRECTORY
    """Where the state of the store is kept for a start without etcd; None for nowhere."""
    journal: Path | None = None
    """The file into which everything is recorded; None for none."""
    telemetry: TelemetrySettings = TelemetrySettings()
    health: Endpoint | None = DEFAULT_HEALTH
    """Where /readiness and /liveness are answered, on a loopback address; None for nowhere."""
    status: StatusSettings | None = None
    """Where everything else is, to who has a certificate; None for nowhere."""

    @property
    def agent_config(self) -> AgentConfig:
        """The part that the core is told."""
        return AgentConfig(
            node=self.node,
            router_id=self.router_id,
            route_protocol=self.route_protocol,
            route_metric=self.route_metric,
            route_table=self.route_table,
            forwards=not self.no_kernel,
            draining_seconds=self.draining_seconds,
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
    is_switch: bool = False
    """Whether it is true or false; the flag alone means true."""
    text: str = ""
    """What it is, where there is no flag whose help says so."""


NODE = Setting("node", "NODENAME", "--node")
ROUTER_ID = Setting("router_id", "CALICO_ROUTER_ID", "--router-id")
LOG_LEVEL = Setting("log_level", "FELIXBGP_LOG_LEVEL", "--log-level")
SECRETS = Setting("secrets_dir", "FELIXBGP_SECRETS_DIR", "--secrets-dir")
JOURNAL = Setting("journal", "FELIXBGP_JOURNAL", "--journal")
STATE = Setting("state_directory", "FELIXBGP_STATE_DIRECTORY", "--state-directory")
PROTOCOL = Setting("route_protocol", "FELIXBGP_ROUTE_PROTOCOL", "--route-protocol", is_integer=True)
METRIC = Setting("route_metric", "FELIXBGP_ROUTE_METRIC", "--route-metric", is_integer=True)
TABLE = Setting("route_table", "FELIXBGP_ROUTE_TABLE", "--route-table", is_integer=True)
TAKE_OVER = Setting("take_over", "FELIXBGP_TAKE_OVER", "--take-over", is_list=True)
NO_KERNEL = Setting("no_kernel", "FELIXBGP_NO_KERNEL", "--no-kernel", is_switch=True)
DRAINING = Setting("draining_seconds", "FELIXBGP_DRAINING_SECONDS", "--draining-seconds", is_integer=True)
OTLP_ENDPOINT = Setting("telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "--otlp-endpoint")
OTLP_PROTOCOL = Setting("telemetry.otlp_protocol", "OTEL_EXPORTER_OTLP_PROTOCOL", "--otlp-protocol")
PROMETHEUS = Setting("telemetry.prometheus", "FELIXBGP_PROMETHEUS", "--prometheus")
HEALTH = Setting("health_address", "FELIXBGP_HEALTH_ADDRESS", "--health-address")
STATUS_ADDRESS = Setting("status.address", "FELIXBGP_STATUS_ADDRESS", "--status-address")
STATUS_CA = Setting("status.ca_cert_file", "FELIXBGP_STATUS_CA_CERT_FILE", "--status-ca-cert-file")
STATUS_CERT = Setting("status.cert_file", "FELIXBGP_STATUS_CERT_FILE", "--status-cert-file")
STATUS_KEY = Setting("status.key_file", "FELIXBGP_STATUS_KEY_FILE", "--status-key-file")
ENDPOINTS = Setting("etcd.endpoints", "ETCD_ENDPOINTS", "--etcd-endpoints", is_list=True)
CA_CERT_FILE = Setting("etcd.ca_cert_file", "ETCD_CA_CERT_FILE", "--etcd-ca-cert-file")
CERT_FILE = Setting("etcd.cert_file", "ETCD_CERT_FILE", "--etcd-cert-file")
KEY_FILE = Setting("etcd.key_file", "ETCD_KEY_FILE", "--etcd-key-file")
USERNAME = Setting("etcd.username", "ETCD_USERNAME", "--etcd-username")
# No flags for these: every user of the host can read flags.
PASSWORD = Setting("etcd.password", "ETCD_PASSWORD", "", text="Password of the user.")
CA_CERT = Setting(
    "etcd.ca_cert", "ETCD_CA_CERT", "", text="The authority's certificate itself, PEM, in place of a file."
)
CERT = Setting("etcd.cert", "ETCD_CERT", "", text="Our certificate itself, PEM.")
KEY = Setting("etcd.key", "ETCD_KEY", "", text="Its key itself, PEM.")

DRAINING_SECONDS_MAX = 3600
_SWITCHES = ("false", "true")
PROTOCOLS_OF_OTHERS = (0, 1, 2, 3, 4, 9, 16, 80)
"""Of the kernel, the administrator, router advertisements, DHCP clients and Felix: on any node. Those of
other routing daemons are allowed, so that we can take over from one."""

TLS_SETTINGS = (STATUS_CERT, STATUS_KEY, STATUS_CA)
ETCD_SETTINGS = (ENDPOINTS, CA_CERT_FILE, CERT_FILE, KEY_FILE, USERNAME, PASSWORD, CA_CERT, CERT, KEY)
SETTINGS = (
    NODE, ROUTER_ID, LOG_LEVEL, SECRETS, STATE, JOURNAL,
    PROTOCOL, METRIC, TABLE, TAKE_OVER, NO_KERNEL, DRAINING,
    OTLP_ENDPOINT, OTLP_PROTOCOL, PROMETHEUS,
    HEALTH, STATUS_ADDRESS, *TLS_SETTINGS,
    *ETCD_SETTINGS,
)  # fmt: skip
KNOWN = tuple(setting.name for setting in SETTINGS)
DATASTORE_TYPE_VARIABLE = "DATASTORE_TYPE"
DISCOVERY_VARIABLE = "ETCD_DISCOVERY_SRV"


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
    file: Values
    path: Path

    def find(self, setting: Setting) -> Found | None:
        """The strongest value there is, as text. Raises `SettingsError` for a wrong type in the file."""
        given = self.flags.get(setting.name)
        if given is not None:
            return Found(given, setting.flag)
        exported = self.environ.get(setting.variable, "")
        if exported:
            return Found(exported, f"environment {setting.variable}")
        written = self.file.get(setting.name)
        if written is None:
            return None
        source = f"{self.path}: {written.name}"
        return Found(_file_text(setting, written.value, source), source)


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
    sources = Sources(flags, environ, _values(path, FileNotFoundError), path or AGENT_FILE)
    node = _node(sources.find(NODE), hostname)
    return AgentSettings(
        node=node,
        etcd=etcd_from(sources),
        router_id=_router_id(sources.find(ROUTER_ID), node),
        route_protocol=_protocol(sources.find(PROTOCOL)),
        route_metric=_integer(sources.find(METRIC), 1, 2**32 - 1, ROUTE_METRIC),
        route_table=_integer(sources.find(TABLE), 1, 2**32 - 1, ROUTE_TABLE),
        take_over=_take_over(sources.find(TAKE_OVER)),
        no_kernel=_switch(sources.find(NO_KERNEL)),
        draining_seconds=_integer(sources.find(DRAINING), 0, DRAINING_SECONDS_MAX, DRAINING_SECONDS),
        log_level=_log_level(sources.find(LOG_LEVEL)),
        secrets_dir=_directory(sources.find(SECRETS), SECRETS_DIR),
        state_directory=_state_directory(sources.find(STATE)),
        journal=_journal(sources.find(JOURNAL)),
        telemetry=telemetry_from(sources),
        health=_health(sources.find(HEALTH)),
        status=_status(sources),
    )


def node_name(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    path: Path | None = None,
    *,
    hostname: Callable[[], str] = socket.gethostname,
) -> str:
    """The name of the node we are on, for commands that act on it by default. Raises `SettingsError`."""
    file = _values(path, FileNotFoundError, PermissionError)
    return _node(Sources(flags, environ, file, path or AGENT_FILE).find(NODE), hostname)


def state_directory(environ: Mapping[str, str], path: Path | None = None) -> Path | None:
    """Where the agent of this host keeps its state, for commands that look for it. Raises `SettingsError`."""
    file = _values(path, FileNotFoundError, PermissionError)
    return _state_directory(Sources({}, environ, file, path or AGENT_FILE).find(STATE))


def journal_file(environ: Mapping[str, str], path: Path | None = None) -> Path | None:
    """Where the agent of this host is recorded, for commands that look for it. Raises `SettingsError`."""
    file = _values(path, FileNotFoundError, PermissionError)
    return _journal(Sources({}, environ, file, path or AGENT_FILE).find(JOURNAL))


def _values(path: Path | None, *empty_if: type[OSError]) -> Values:
    """The settings in the file that was named, or in the usual one, which may be missing."""
    return read(path or AGENT_FILE, KNOWN, empty_if=() if path is not None else empty_if).values


def _file_text(setting: Setting, value: object, source: str) -> str:
    """A TOML value as the text it would be in the environment."""
    if setting.is_integer:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise SettingsError(f"{source}: an integer is wanted")
    if setting.is_switch:
        if isinstance(value, bool):
            return _SWITCHES[value]
        raise SettingsError(f"{source}: true or false is wanted, without quotes")
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


def _switch(found: Found | None) -> bool:
    if found is None:
        return False
    if found.text.lower() not in _SWITCHES:
        raise found.refuse(f"{found.text!r} is not {' or '.join(_SWITCHES)}")
    return found.text.lower() == "true"


def _protocol(found: Found | None) -> int:
    """The number that marks our routes; whoever else has it, we would take their routes for ours."""
    number = _integer(found, 1, 255, ROUTE_PROTOCOL)
    if found is not None and number in PROTOCOLS_OF_OTHERS:
        whose = PROTOCOL_NAMES[number]
        raise found.refuse(f"{found.text!r} marks the routes of {whose}, which would count as ours and go")
    return number


def _take_over(found: Found | None) -> tuple[int, ...]:
    """Numbers, or names as iproute2 prints them; nothing that is not a routing daemon's."""
    if found is None:
        return ()
    numbers = {name: number for number, name in PROTOCOL_NAMES.items()}
    protocols: dict[int, None] = {}
    for text in filter(None, map(str.strip, found.text.split(","))):
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else numbers.get(text, 0)
        if not 1 <= number <= 255:
            raise found.refuse(f"{text!r} is neither a protocol that `ip route` names nor a number up to 255")
        if number in PROTOCOLS_OF_OTHERS:
            raise found.refuse(f"{text!r} marks the routes of {PROTOCOL_NAMES[number]}, which are not BGP's")
        protocols[number] = None
    return tuple(protocols)


def _state_directory(found: Found | None) -> Path | None:
    if found is not None and found.text == NO_DIRECTORY:
        return None
    return _directory(found, STATE_DIRECTORY)


def _journal(found: Found | None) -> Path | None:
    return None if found is None else _path_of(found, "file")


def _health(found: Found | None) -> Endpoint | None:
    """Who asks there is asked nothing, so that it must be somebody on this host."""
    if found is None:
        return DEFAULT_HEALTH
    if found.text == NOWHERE:
        return None
    endpoint = _endpoint(found)
    address = endpoint.address
    if not (address[0] == 127 if len(address) == 4 else address == LOOPBACK_V6):
        raise found.refuse(
            f"{found.text!r} is no loopback address; others are served at {STATUS_ADDRESS.name}"
        )
    return endpoint


def _status(sources: Sources) -> StatusSettings | None:
    """Nowhere, unless an address is given; never without certificates."""
    address = sources.find(STATUS_ADDRESS)
    if address is None:
        return None
    endpoint = _endpoint(address)
    if not any(endpoint.address):
        raise address.refuse(f"{address.text!r}: an address of this node is wanted, which others are told")
    tls = tls_from(sources)
    if tls is None:
        names = ", ".join(setting.name for setting in TLS_SETTINGS)
        raise address.refuse(f"is of no use without {names}: nobody is answered without a certificate")
    return StatusSettings(endpoint, tls)


def tls_from(sources: Sources) -> TlsFiles | None:
    """The certificate for status endpoints, of an agent or of who asks it. Raises `SettingsError`."""
    found = [sources.find(setting) for setting in TLS_SETTINGS]
    missing = [setting for setting, one in zip(TLS_SETTINGS, found, strict=True) if one is None]
    given = [one for one in found if one is not None]
    if given and missing:
        raise given[0].refuse(f"is of no use without {missing[0].name} ({missing[0].variable})")
    cert, key, ca = map(_path, found)
    return None if cert is None or key is None or ca is None else TlsFiles(cert, key, ca)


def _endpoint(found: Found) -> Endpoint:
    """An address and a port: `10.0.0.1:9179`, `[fd00::1]:9179`."""
    host, _, port = found.text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = Address.parse(host[1:-1] if bracketed else host)
    except AddressError as error:
        raise found.refuse(f"{found.text!r} is not ADDRESS:PORT, or [IPv6]:PORT") from error
    if bracketed is not (len(address) == 16) or not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise found.refuse(f"{found.text!r} is not ADDRESS:PORT, or [IPv6]:PORT")
    if not 0 < int(port) < 65536:
        raise found.refuse(f"{port} is no port")
    return Endpoint(address, int(port))


def authority(endpoint: Endpoint) -> str:
    """Address and port as `_endpoint` reads them."""
    host = str(endpoint.address)
    return f"{host if len(endpoint.address) == 4 else f'[{host}]'}:{endpoint.port}"


def _directory(found: Found | None, default: Path) -> Path:
    """A directory, which need not exist yet."""
    return default if found is None else _path_of(found, "directory")


def _path_of(found: Found, what: str) -> Path:
    """A relative one would depend on where we start."""
    path = Path(found.text)
    if not path.is_absolute() or "\0" in found.text:
        raise found.refuse(f"{found.text!r} is not the absolute path of a {what}")
    return path


def _log_level(found: Found | None) -> str | None:
    if found is None:
        return None
    if found.text.lower() not in LOG_LEVELS:
        raise found.refuse(f"{found.text!r} is not one of {', '.join(LOG_LEVELS)}")
    return found.text.lower()


def telemetry_from(sources: Sources) -> TelemetrySettings:
    """Who is told of traces and metrics. Raises `SettingsError`."""
    protocol = sources.find(OTLP_PROTOCOL)
    if protocol is not None and protocol.text not in OTLP_PROTOCOLS:
        raise protocol.refuse(f"{protocol.text!r} is not one of {', '.join(OTLP_PROTOCOLS)}")
    endpoint, name = sources.find(OTLP_ENDPOINT), OTLP_PROTOCOLS[0] if protocol is None else protocol.text
    collector, prometheus = _collector(endpoint), sources.find(PROMETHEUS)
    if endpoint is not None and endpoint.text.startswith("unix:") and name != "grpc":
        raise endpoint.refuse(f"a Unix socket is for grpc; {OTLP_PROTOCOL.name} is {name}")
    return TelemetrySettings(
        otlp_endpoint=collector,
        otlp_protocol=name,
        prometheus=None if prometheus is None else _endpoint(prometheus),
    )


def _collector(found: Found | None) -> str | None:
    """A URL without a password in it, which would be seen by whoever sees our settings."""
    if found is None:
        return None
    scheme, separator, rest = found.text.partition(":")
    if scheme not in OTLP_SCHEMES or not separator or not rest.strip("/"):
        raise found.refuse(f"not a URL that begins with {', '.join(OTLP_SCHEMES)}")
    if "@" in rest:
        raise found.refuse("no user or password in the URL; OTEL_EXPORTER_OTLP_HEADERS is for that")
    return found.text


def etcd_from(sources: Sources) -> EtcdSettings:
    """How etcd is reached. Raises `SettingsError`."""
    check_datastore_type(
        sources.environ.get(DATASTORE_TYPE_VARIABLE), f"environment {DATASTORE_TYPE_VARIABLE}"
    )
    cert_file, key_file = sources.find(CERT_FILE), sources.find(KEY_FILE)
    cert, key = sources.find(CERT), sources.find(KEY)
    username, password = sources.find(USERNAME), sources.find(PASSWORD)
    _together(cert_file, key_file, CERT_FILE, KEY_FILE)
    _together(cert, key, CERT, KEY)
    _together(username, password, USERNAME, PASSWORD)
    ca_file, ca_cert = sources.find(CA_CERT_FILE), sources.find(CA_CERT)
    inline = ca_cert or cert
    if inline is not None and (ca_file or cert_file) is not None:
        raise inline.refuse("cannot mix inline certificates and certificate files")
    return EtcdSettings(
        endpoints=_endpoints(sources),
        ca_file=_path(ca_file),
        cert_file=_path(cert_file),
        key_file=_path(key_file),
        ca_pem=_text(ca_cert),
        cert_pem=_text(cert),
        key_pem=_text(key),
        username=_text(username),
        password=_text(password),
    )


def _text(found: Found | None) -> str:
    return "" if found is None else found.text


def _together(first: Found | None, second: Found | None, one: Setting, other: Setting) -> None:
    """Refuse one half of a pair."""
    if first is not None and second is None:
        raise first.refuse(f"is of no use without {other.name} ({other.variable})")
    if second is not None and first is None:
        raise second.refuse(f"is of no use without {one.name} ({one.variable})")


def _endpoints(sources: Sources) -> tuple[str, ...]:
    found = sources.find(ENDPOINTS)
    if found is None:
        if sources.environ.get(DISCOVERY_VARIABLE):
            raise SettingsError(
                f"environment {DISCOVERY_VARIABLE}: not supported; list the endpoints in {ENDPOINTS.variable}"
            )
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
