"""The two witnesses of `agent/liveness.py`: a dial, and a key of the store."""

import errno
from typing import Final

import trio

from felixbgp.agent.inputs import AliveRead, AliveUnread, HostProbed, ProbeOutcome
from felixbgp.agent.liveness import AskAlive, ProbeHost
from felixbgp.runtime import sockets
from felixbgp.runtime.etcd import EtcdClient, EtcdError
from felixbgp.status import keys

_ANSWERS: Final = (errno.ECONNREFUSED, errno.ECONNRESET)
"""Only a host that lives says so."""
_SILENCES: Final = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH)


async def probe(effect: ProbeHost) -> HostProbed:
    """Dial, and hang up at once when somebody answers."""
    with trio.move_on_after(effect.timeout_ns / 1e9):
        try:
            sock = await sockets.connect(effect.remote, effect.options)
        except OSError as error:
            return HostProbed(effect.remote, _outcome_of(error), sockets.reason_of(error))
        sock.close()
        return HostProbed(effect.remote, ProbeOutcome.ANSWERED, "connected")
    return HostProbed(effect.remote, ProbeOutcome.SILENT, "timed out")


def _outcome_of(error: OSError) -> ProbeOutcome:
    if error.errno in _ANSWERS:
        return ProbeOutcome.ANSWERED
    return ProbeOutcome.SILENT if error.errno in _SILENCES else ProbeOutcome.FAILED


async def ask_alive(client: EtcdClient, effect: AskAlive) -> AliveRead | AliveUnread:
    """Read which documents a node has; of the status only that it is there."""
    try:
        found = await client.get_keys(keys.prefix_of_node(effect.node))
    except EtcdError as error:
        return AliveUnread(effect.node, str(error))
    documents = [parsed[1] for key in found if (parsed := keys.parse_key(key)) is not None]
    return AliveRead(effect.node, keys.ALIVE in documents, keys.STATUS in documents)
