"""Communities with a meaning that every speaker shares (RFC 1997 and the registry it began)."""

from typing import Final

GRACEFUL_SHUTDOWN: Final = 0xFFFF0000
"""RFC 8326 §5: the path is about to go; the receiver gives it the lowest LOCAL_PREF."""
LLGR_STALE: Final = 0xFFFF0006
"""RFC 9494 §3.2: kept beyond the end of its session; the least preferred of all."""
NO_LLGR: Final = 0xFFFF0007
"""RFC 9494 §3.3: not to be kept so."""
BLACKHOLE: Final = 0xFFFF029A
"""RFC 7999 §5: traffic for the prefix is to be dropped."""
NO_EXPORT: Final = 0xFFFFFF01
NO_ADVERTISE: Final = 0xFFFFFF02
NO_EXPORT_SUBCONFED: Final = 0xFFFFFF03
"""RFC 1997; without confederations the last means the same as NO_EXPORT."""

_NON_TRANSITIVE: Final = 0x40


def crosses_borders(extended: bytes) -> bool:
    """Whether an extended community, of 8 or 20 octets, may leave its AS: RFC 4360 §2, the T bit."""
    return not extended[0] & _NON_TRANSITIVE
