"""What the agent tells the service manager that started it, by the protocol of sd_notify(3).

    the first status of what the store holds ──▶ READY=1    who starts the unit has waited for it
    each status                              ──▶ STATUS=…   a line of `systemctl status`
    while the loop turns                     ──▶ WATCHDOG=1, and until ready EXTEND_TIMEOUT_USEC=…
    SIGTERM                                  ──▶ STOPPING=1

An agent that has no state of its own yet and no etcd is not ready, however long that takes, and is not
killed for it: the start's time limit is put off as long as the loop turns.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Self

import trio

from felixbgp.bgp.session.state import SessionState
from felixbgp.status.node_status import DatastoreCondition, NodeStatus

SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE: Final = "WATCHDOG_USEC"
WATCHDOG_PID_VARIABLE: Final = "WATCHDOG_PID"
START_TURN_SECONDS: Final = 10.0
"""How often a start is extended where no watchdog says so."""
STATUS_MAX: Final = 200
"""Characters of the line: a reason of etcd's may be long."""
_KNOWS_THE_STORE: Final = (DatastoreCondition.IN_SYNC, DatastoreCondition.RECOVERED)


class ServiceManager:
    """The one that started us; nobody hears anything where there is none."""

    def __init__(self, address: str | None, turn_seconds: float | None) -> None:
        """Datagrams go to `address`, a path or an abstract name (@…).

        `turn_seconds` is the watchdog's time; None for no watchdog.
        """
        self._address = address
        self._turn_seconds = turn_seconds
        self._is_ready = False
        self._line = ""

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int) -> Self:
        """As the environment says. A watchdog that is another process's does not wait for us."""
        address = environ.get(SOCKET_VARIABLE) or None
        if address is None or address[0] not in "/@":
            return cls(None, None)
        micros = environ.get(WATCHDOG_VARIABLE, "")
        is_ours = environ.get(WATCHDOG_PID_VARIABLE, "") in ("", str(pid))
        turn = int(micros) / 1e6 if is_ours and micros.isdecimal() and int(micros) > 0 else None
        return cls(address, turn)

    async def run(self) -> None:
        """Say that the loop turns, twice in each of the watchdog's times; returns where nobody listens."""
        if self._address is None:
            return
        turn_seconds = START_TURN_SECONDS if self._turn_seconds is None else self._turn_seconds
        while not (self._is_ready and self._turn_seconds is None):
            said = [] if self._turn_seconds is None else ["WATCHDOG=1"]
            if not self._is_ready:
                said.append(f"EXTEND_TIMEOUT_USEC={int(turn_seconds * 2e6)}")
            self._say(*said)
            await trio.sleep(turn_seconds / 2)

    def hear(self, status: NodeStatus) -> None:
        """The status was published, or could not be: it is on this node's disk all the same."""
        said = []
        if not self._is_ready and status.datastore.condition in _KNOWS_THE_STORE:
            self._is_ready = True
            said.append("READY=1")
        line = line_of(status)
        if line != self._line:
            self._line = line
            said.append(f"STATUS={line}")
        self._say(*said)

    def stop(self) -> None:
        """The agent ends."""
        self._say("STOPPING=1")

    def _say(self, *lines: str) -> None:
        if self._address is None or not lines:
            return
        # Whether anybody listens, and keeps up, is no concern of the routes.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.settimeout(0)
            way.sendto("\n".join(lines).encode(), _socket_name(self._address))


def line_of(status: NodeStatus) -> str:
    """One line about the node: the store, the sessions, the routes, the problems."""
    established = sum(peer.state == SessionState.ESTABLISHED.value for peer in status.peers)
    parts = [
        f"etcd {status.datastore.condition.value}",
        f"{established} of {len(status.peers)} sessions Established",
    ]
    if status.routes is not None:
        parts.append(f"{status.routes.installed} of {status.routes.wanted} routes installed")
    if status.problems:
        parts.append(f"{len(status.problems)} problems")
    if status.drained is not None:
        parts.append("drained")
    return ", ".join(parts)[:STATUS_MAX]


def _socket_name(address: str) -> str:
    """An abstract name begins with @ in the environment and with a zero octet for the kernel."""
    return f"\0{address[1:]}" if address.startswith("@") else address
