"""What a simulated world tells whoever watches it, in the instant in which it happens."""

from felixbgp.agent.effects import Fact
from felixbgp.fib.types import Route
from felixbgp.net import Address, Prefix


class Observer:
    """Watches nothing; a base for who does. A world has one (`World.observe`).

    What is observed must not be changed: whoever raises here ends the run.
    """

    def route_changed(self, node: str, prefix: Prefix, metric: int, route: Route | None) -> None:
        """The node's agent wrote a route, or deleted it (None); the kernel has done it already."""

    def kernel_disturbed(self, node: str) -> None:
        """Something that is not the agent changed the kernel, or how it behaves."""

    def sent(
        self, connection: object, host: str, local: Address | None, remote: Address, data: bytes
    ) -> None:
        """A host's agent sent whole messages over a connection: `local` and `remote` are its two ends.

        An end that dials has the address that the other one will see; None: it did not choose any.
        """

    def fact_told(self, node: str, fact: Fact) -> None:
        """A node's agent told its operator something."""

    def connection_ended(self, connection: object, host: str) -> None:
        """A host has lost, or given up, its end of a connection."""

    def key_changed(self, key: str) -> None:
        """A key of the store was written or deleted."""

    def host_changed(self, host: str) -> None:
        """A host's process started or ended."""

    def link_changed(self, first: str, second: str) -> None:
        """A trouble of the link began or ended, or its connections were broken."""

    def stepped(self) -> None:
        """All that happens in this instant by one cause has happened."""


NOBODY = Observer()
