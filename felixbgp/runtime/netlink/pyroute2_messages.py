"""The three message classes of pyroute2 that we encode with, and nothing else of it.

`import pyroute2.anything` loads all of pyroute2 first: databases, conntrack, asyncio and more. That is 60 ms
of an agent's start and 11 MB of its memory for life. So its package is not run while these are loaded, and is
forgotten afterwards: whoever imports pyroute2 later gets all of it.
"""

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Final

_PACKAGE: Final = "pyroute2"


def _package_without_its_contents() -> ModuleType | None:
    """A package that finds its modules and has run no code; None where there is one already, or none."""
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    return None if spec is None else module_from_spec(spec)


_package = _package_without_its_contents()
if _package is not None:
    sys.modules[_PACKAGE] = _package
try:
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg
finally:
    if _package is not None:
        del sys.modules[_PACKAGE]

__all__ = ["ifaddrmsg", "ifinfmsg", "rtmsg"]
