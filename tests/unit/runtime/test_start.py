"""What the agent loads before it can begin, in a process of its own."""

import subprocess
import sys

UNWANTED = (
    "asyncio",
    "grpc",
    "etcd3",
    "opentelemetry.sdk",
    "pyroute2.ndb",
    "unittest",
    "yaml",
    "tabulate",
    "jsonpath",
)
"""What the agent's start has no use for; each is some ten milliseconds, and memory for life."""


def printed(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_agent_starts_without_what_it_does_not_need() -> None:
    loaded = printed(
        "import sys, felixbgp.cli.main, felixbgp.cli.agent, felixbgp.runtime.run; print(*sys.modules)"
    )
    assert "felixbgp.agent.agent" in loaded
    assert [name for name in UNWANTED if name in loaded] == []


def test_all_of_pyroute2_is_there_for_whoever_wants_it() -> None:
    program = (
        "from felixbgp.runtime.netlink.encode import rtmsg; import pyroute2, pyroute2.netlink as netlink;"
        " from pyroute2.netlink.rtnl.rtmsg import rtmsg as theirs;"
        " print(pyroute2.IPRoute.__name__, theirs is rtmsg, netlink.__name__)"
    )
    assert printed(program) == ["IPRoute", "True", "pyroute2.netlink"]
