"""What `node diags` gathers: about this host by its own programs, and from etcd.

Nothing here may bring a secret along. Commands are chosen by that: `ss --info`, for one, would print the
TCP MD5 keys of every session. Of etcd only resources, blocks and what agents publish is taken. What is known
to be secret is blotted out of everything all the same, and for that alone passwords are read (`Secrets`).
"""

import dataclasses
import json
import platform
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from felixbgp import __version__
from felixbgp.cli.store import Store, Stored, StoreError
from felixbgp.cluster.secrets import SECRETS
from felixbgp.resources.keys import HOSTS, PLURALS, RESOURCES
from felixbgp.runtime.core import core_form
from felixbgp.runtime.etcd.errors import DeadlineExceeded, Unavailable
from felixbgp.runtime.settings import AgentSettings
from felixbgp.status.keys import NODES, prefix_of_node

COMMAND_SECONDS_MAX = 20.0
"""A full table of a million routes takes some seconds to print."""
OUTPUT_BYTES_MAX = 64 << 20
"""Of one collector; what is longer is cut, and says so."""
STATUS_BYTES_MAX = 32 << 20
"""Of the status documents of other nodes: in a mesh of 1,000 nodes all of them would be 400 MB."""
JOURNAL_LINES_MAX = 20_000
UNIT_PROPERTIES = (
    "ActiveState,SubState,Result,StatusText,NRestarts,ExecMainStartTimestamp,ExecMainStatus,MemoryCurrent,"
    "CPUUsageNSec,FragmentPath,DropInPaths,UnitFileState"
)
_CUT = b"\n(cut here: too long)\n"


class CannotCollectError(Exception):
    """Why one collector gave nothing; the others go on."""


class Gathered(NamedTuple):
    """A file of the archive, or why there is none."""

    name: str
    content: bytes | None
    reason: str = ""

    def __str__(self) -> str:
        told = f"failed: {self.reason}" if self.content is None else f"{len(self.content)} bytes"
        return f"{self.name:<30} {told}"


class Collector(NamedTuple):
    """A file of the archive, and what gives its content; that raises `CannotCollectError`."""

    name: str
    collect: Callable[[], bytes]


def local_collectors(unit: str, settings: Callable[[], AgentSettings]) -> list[Collector]:
    """What tells of this host. `unit` is the agent's unit in systemd."""
    commands = {
        "addresses": "ip -details address show",
        "links": "ip -details -statistics link show",
        "routes-ipv4": "ip -details -4 route show table all",
        "routes-ipv6": "ip -details -6 route show table all",
        "rules-ipv4": "ip -4 rule show",
        "rules-ipv6": "ip -6 rule show",
        "nexthops": "ip nexthop show",
        "neighbours": "ip -statistics neigh show",
        "sockets": "ss --tcp --udp --all --numeric --processes --extended --options",
        "socket-summary": "ss --summary",
        "counters": "nstat --zeros --ignore --noupdate",
        "processes": "ps -C felixbgp -o pid,ppid,lstart,time,rss,nlwp,args",
        "unit": f"systemctl show {unit} --property {UNIT_PROPERTIES}",
        "unit-file": f"systemctl cat {unit}",
        "journal": f"journalctl --unit {unit} --lines {JOURNAL_LINES_MAX} --no-pager --output short-iso",
        "firewall-nftables": "nft list ruleset",
        "firewall-iptables": "iptables-save -c",
        "firewall-ip6tables": "ip6tables-save -c",
    }
    return [
        Collector("version.txt", _versions),
        Collector("settings.txt", lambda: described_settings(settings()).encode()),
        Collector("sysctls.txt", _sysctls),
        *(Collector(f"{name}.txt", partial(run_command, line.split())) for name, line in commands.items()),
    ]


def described_settings(settings: AgentSettings) -> str:
    """Every setting on a line; of what is secret only whether it is there."""
    lines: list[str] = []
    for prefix, holder in (("", settings), ("etcd.", settings.etcd)):
        for field in dataclasses.fields(holder):
            value = getattr(holder, field.name)
            # What must not be printed is marked so where it is declared.
            shown = repr(value) if field.repr else ("(set, not shown)" if value else "(not set)")
            if not dataclasses.is_dataclass(value):
                lines.append(f"{prefix}{field.name} = {shown}\n")
    return "".join(lines)


def _versions() -> bytes:
    packages = sorted(f"{found.metadata['Name']} {found.version}\n" for found in distributions())
    release = Path("/etc/os-release")
    system = release.read_text(encoding="utf-8", errors="replace") if release.exists() else ""
    python = f"felixbgp {__version__}, its core {core_form()}\nPython {platform.python_version()}\n"
    return f"{' '.join(platform.uname())}\n\n{system}\n{python}{''.join(packages)}".encode()


_SYSCTLS = (
    "kernel/random/boot_id",
    "net/core/rmem_max",
    "net/core/wmem_max",
    "net/core/somaxconn",
    "net/core/netdev_max_backlog",
    "net/ipv4/conf/*/forwarding",
    "net/ipv4/conf/*/rp_filter",
    "net/ipv4/conf/*/proxy_arp",
    "net/ipv4/conf/*/accept_local",
    "net/ipv4/fib_multipath_hash_policy",
    "net/ipv4/ip_forward",
    "net/ipv4/neigh/default/gc_thresh*",
    "net/ipv4/tcp_keepalive_*",
    "net/ipv4/tcp_mem",
    "net/ipv6/conf/*/accept_ra",
    "net/ipv6/conf/*/disable_ipv6",
    "net/ipv6/conf/*/forwarding",
    "net/ipv6/fib_multipath_hash_policy",
    "net/ipv6/neigh/default/gc_thresh*",
    "net/ipv6/route/max_size",
    "net/ipv6/route/skip_notify_on_dev_down",
    "net/netfilter/nf_conntrack_count",
    "net/netfilter/nf_conntrack_max",
)


def _sysctls() -> bytes:
    return "".join(_sysctl_lines(Path("/proc/sys"))).encode()


def _sysctl_lines(root: Path) -> Iterator[str]:
    for pattern in _SYSCTLS:
        for path in sorted(root.glob(pattern)):
            try:
                value = " ".join(path.read_text(encoding="utf-8", errors="replace").split())
            except OSError as error:
                value = f"({error.strerror})"
            yield f"{str(path.relative_to(root)).replace('/', '.')} = {value}\n"


def run_command(words: list[str], seconds: float | None = None) -> bytes:
    """What a program prints, at most `OUTPUT_BYTES_MAX`. Raises `CannotCollectError`.

    It has `COMMAND_SECONDS_MAX` unless `seconds` are given.
    """
    seconds = COMMAND_SECONDS_MAX if seconds is None else seconds
    # Into files: a program that prints more than anybody wants fills no memory.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(  # noqa: S603 - the words are ours, but for the unit's name, and no shell reads them
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                timeout=seconds,
                check=False,
            )
        except FileNotFoundError as error:
            raise CannotCollectError(f"{words[0]}: not installed") from error
        except OSError as error:
            raise CannotCollectError(f"{words[0]}: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise CannotCollectError(f"{words[0]}: not done within {seconds:g} s") from error
        output.seek(0)
        found = output.read(OUTPUT_BYTES_MAX + 1)
        errors.seek(0)
        said = errors.read(1_000).decode(errors="replace").strip()
    if done.returncode and not found:
        raise CannotCollectError(said or f"{words[0]}: exit status {done.returncode}")
    return cut(found) + (f"\n(it said: {said})\n".encode() if said else b"")


def cut(content: bytes) -> bytes:
    """The content, or its beginning and a word that it was longer."""
    return content if len(content) <= OUTPUT_BYTES_MAX else content[:OUTPUT_BYTES_MAX] + _CUT


async def from_etcd(node: str, store: Store) -> list[Gathered]:
    """Files with what stands in etcd: the resources, whose blocks are whose, what agents tell of themselves.

    A file that may not be read leaves its reason; the first that etcd does not answer is the last.
    """
    reads: dict[str, Callable[[], Awaitable[Iterable[Stored]]]] = {
        plural: partial(store.list, f"{RESOURCES}{plural}/")
        for plural in sorted([*PLURALS.values(), "clusterinformations"])
    }
    reads["block-affinities"] = partial(store.list, HOSTS)
    reads["status"] = partial(_published, node, store)
    files: list[Gathered] = []
    for name, read in reads.items():
        try:
            files.append(Gathered(f"etcd/{name}.jsonl", _lines(await read())))
        except StoreError as error:
            files.append(Gathered(f"etcd/{name}.jsonl", None, error.message))
            if isinstance(error.__cause__, Unavailable | DeadlineExceeded):
                break
    else:
        files.append(await _member(store))
    return files


async def _member(store: Store) -> Gathered:
    """How the member does that answers us, and up to which revision it has the store."""
    try:
        told = await store.member()
    except StoreError as error:
        return Gathered("etcd/member.json", None, error.message)
    # Of 64 bits: as texts, as JSON's readers have them from etcdctl.
    numbers = {"cluster_id", "member_id", "leader"}
    fields = {name: f"{value:x}" if name in numbers else value for name, value in told._asdict().items()}
    return Gathered("etcd/member.json", json.dumps(fields, indent=2).encode() + b"\n")


async def secrets_in_etcd(store: Store) -> list[bytes]:
    """The passwords that are kept there, to be blotted out; none where we may not read them."""
    try:
        return [stored.value for stored in await store.list(SECRETS)]
    except StoreError:
        return []


async def _published(node: str, store: Store) -> list[Stored]:
    """What agents publish, this node's first, as far as there is room."""
    own = await store.list(prefix_of_node(node))
    found, room = list(own), STATUS_BYTES_MAX
    for key in await store.keys(NODES):
        stored = None if key.startswith(prefix_of_node(node)) else await store.get(key)
        if stored is None:
            continue
        room -= len(stored.value)
        if room < 0:
            break
        found.append(stored)
    return found


def _lines(found: Iterable[Stored]) -> bytes:
    """A JSON object per key. The value is a text: whatever is wrong with it is to be seen."""
    return "".join(
        json.dumps(
            {
                "key": entry.key,
                "revision": entry.revision,
                "value": entry.value.decode(errors="backslashreplace"),
            },
            ensure_ascii=False,
        )
        + "\n"
        for entry in found
    ).encode()
