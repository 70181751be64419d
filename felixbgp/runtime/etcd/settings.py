"""Where etcd is, who we are, and how patient we are."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

DEFAULT_PORT = 2379


class SettingsError(ValueError):
    """Settings that cannot work; the text names the field."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One client URL of etcd."""

    host: str
    port: int = DEFAULT_PORT
    tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `http://host:port`, `https://[::1]:2379`, or `host:port` (no TLS). Raises `SettingsError`."""
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"endpoint {text!r}: {error}") from error
        if parts.scheme not in {"http", "https"}:
            raise SettingsError(f"endpoint {text!r}: the scheme must be http or https")
        if not parts.hostname or parts.username or parts.query or parts.path not in {"", "/"}:
            raise SettingsError(f"endpoint {text!r}: must be http(s)://host:port")
        return cls(parts.hostname, DEFAULT_PORT if port is None else port, parts.scheme == "https")

    @property
    def authority(self) -> str:
        """Host and port, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


def parse_endpoints(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of endpoints, as in ETCD_ENDPOINTS. Raises `SettingsError`."""
    texts = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in texts:
        Endpoint.parse(part)
    return texts


@dataclass(frozen=True, slots=True)
class EtcdSettings:
    """Endpoints are tried in order; files are PEM. Raises `SettingsError` for what cannot work.

    The certificate files are read at each connection, so renewed ones are taken up without a restart.
    `ca_pem`, `cert_pem` and `key_pem` are what would stand in the files, instead of them.
    """

    endpoints: tuple[str, ...] = ("http://127.0.0.1:2379",)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    ca_pem: str = ""
    cert_pem: str = ""
    key_pem: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    connect_timeout_seconds: float = 2.0
    request_timeout_seconds: float = 3.0
    ping_interval_seconds: float = 10.0
    """Not below 5 s: etcd (--grpc-keepalive-min-time) closes connections that ping more often."""
    ping_timeout_seconds: float = 5.0
    backoff_min_seconds: float = 0.05
    backoff_max_seconds: float = 5.0
    page_keys: int = 2_000
    """Keys per answer of a listing: so many that paging costs nothing, so few that messages stay bounded."""
    stream_window_bytes: int = 16 << 20
    """What etcd may send on one stream before we took it: the bound of memory of a slow consumer."""
    message_bytes_max: int = 128 << 20
    """Refuse larger answers. A page of 2,000 keys stays below it up to 64 KiB a key."""

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise SettingsError("endpoints: at least one is needed")
        self.parsed_endpoints()
        if (self.cert_file is None) != (self.key_file is None):
            raise SettingsError("cert_file and key_file: give both or none")
        if bool(self.cert_pem) != bool(self.key_pem):
            raise SettingsError("cert_pem and key_pem: give both or none")
        if self.password and not self.username:
            raise SettingsError("password: given without a username")
        _check_positive(
            self, (name for name in self.__slots__ if name.endswith(("_seconds", "_bytes", "_keys")))
        )

    def parsed_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints as values."""
        return tuple(Endpoint.parse(text) for text in self.endpoints)


def _check_positive(settings: EtcdSettings, names: Iterable[str]) -> None:
    for name in names:
        if getattr(settings, name) <= 0:
            raise SettingsError(f"{name}: must be above zero")
