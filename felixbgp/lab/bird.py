"""A top-of-rack router played by BIRD 2: its configuration, and what `birdc` says about it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from felixbgp.lab.plan import TOR_AS_NUMBER, Tor

MAJOR_VERSION = b"BIRD version 2."
"""One daemon for both families, and dynamic neighbours, came with BIRD 2."""
QUERY_SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Protocol:
    """One line of `birdc show protocols`; `info` is the BGP state of a BGP protocol."""

    name: str
    kind: str
    state: str
    info: str


def find_bird() -> str | None:
    """Path of BIRD 2, or None; BIRD 1 does not count."""
    path = shutil.which("bird", path=_search_path())
    if path is None or shutil.which("birdc", path=_search_path()) is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, check=False)  # noqa: S603
    return path if MAJOR_VERSION in done.stdout + done.stderr else None


def configuration(tor: Tor) -> str:
    """A router that accepts every node of its subnet, announces its stubs, and fills its kernel.

    Neighbours are dynamic: whoever dials from the subnet with another AS number is a peer, so nodes that
    join later, or change their AS, need no change here. It never dials: BIRD remembers a dynamic neighbour
    for good, and would knock for ever at a node whose BGPPeer is gone. After an error it accepts again in
    a second or two instead of its minute, since errors are what labs are for.
    """
    sections = [_general(tor), _family(tor, 4)]
    if tor.ipv6:
        sections.append(_family(tor, 6))
    return "\n".join(sections)


def arguments(bird: str, config: Path, control: Path) -> tuple[str, ...]:
    """The command line of a BIRD in the foreground."""
    return (bird, "-f", "-c", str(config), "-s", str(control))


def query(control: Path, command: str) -> str:
    """The answer of `birdc COMMAND`; "" when BIRD does not answer."""
    birdc = shutil.which("birdc", path=_search_path()) or "birdc"
    done = subprocess.run(  # noqa: S603 - a list, and the words are ours
        [birdc, "-r", "-s", str(control), *command.split()],
        capture_output=True,
        text=True,
        timeout=QUERY_SECONDS_MAX,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


def protocols(control: Path) -> list[Protocol]:
    """What `birdc show protocols` lists."""
    return parse_protocols(query(control, "show protocols"))


def parse_protocols(text: str) -> list[Protocol]:
    """Read the table of `show protocols`: name, kind, table, state, since (one or two words), info."""
    row = re.compile(r"^(\S+)\s+(\S+)\s+\S+\s+(up|down|start|stop|feed)\s+\d[\d:.-]*(?: [\d:.]+)?\s*(.*)$")
    found = (row.match(line) for line in text.splitlines())
    return [Protocol(m[1], m[2], m[3], m[4].strip()) for m in found if m]


def established(control: Path, version: int) -> int:
    """Number of BGP sessions of one IP version that are Established."""
    return sum(
        protocol.info.startswith("Established") and protocol.name.startswith(f"node{version}_")
        for protocol in protocols(control)
        if protocol.kind == "BGP"
    )


def _general(tor: Tor) -> str:
    return f"""\
log stderr all;
router id {tor.ipv4};
protocol device {{ }}
"""


def _family(tor: Tor, version: int) -> str:
    address, stub = (tor.ipv4, tor.stub_v4) if version == 4 else (tor.ipv6, tor.stub_v6)
    network = tor.subnet.network_v4 if version == 4 else tor.subnet.network_v6
    return f"""\
protocol static stub{version} {{
  ipv{version};
  route {stub} blackhole;
}}
protocol kernel kernel{version} {{
  ipv{version} {{ import none; export where source = RTS_BGP; }};
  merge paths on;
}}
protocol bgp nodes{version} {{
  local {address} as {TOR_AS_NUMBER};
  neighbor range {network} external;
  dynamic name "node{version}_";
  direct;
  passive;
  hold time 90;
  error wait time 1, 2;
  error forget time 10;
  ipv{version} {{
    import all;
    export where source ~ [ RTS_STATIC, RTS_BGP ];
    next hop self;
  }};
}}
"""


def _search_path() -> str:
    # Debian keeps daemons out of an ordinary user's PATH.
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
