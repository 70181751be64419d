"""The rooms of one agent as an audit sees them: what each has of a prefix, and of all."""

from collections.abc import Iterator

from felixbgp.agent.audit import OF_THE_KERNEL, Finding
from felixbgp.agent.origination import Origination
from felixbgp.bgp.routes import LocalRoute, Selected
from felixbgp.bgp.speaker import Speaker
from felixbgp.fib.fib import Fib
from felixbgp.fib.types import Route
from felixbgp.intent.types import Intent
from felixbgp.net import Family, Nlri, Prefix
from felixbgp.status.audit import Totals, Views, intent_text, kernel_text, route_text, selected_text


class Rooms:
    """Where intent, Loc-RIB and kernel are (`audit.Tables`)."""

    def __init__(self, fib: Fib, speaker: Speaker, origination: Origination) -> None:
        self.fib = fib
        self.speaker = speaker
        self.origination = origination
        self.intent: Intent | None = None

    def intended(self, prefix: Prefix) -> LocalRoute | None:
        """What is to be originated."""
        return self.origination.originated(prefix)

    def selected(self, prefix: Prefix) -> Selected | None:
        """The Loc-RIB's entry."""
        return self.speaker.selected(prefix.family, prefix.nlri)

    def wanted(self, prefix: Prefix) -> Route | None:
        """What the kernel is to have."""
        return self.fib.wanted(prefix)

    def excluded(self, prefix: Prefix) -> str:
        """What keeps a prefix out of the kernel; "" when nothing does."""
        intent = self.intent or Intent()
        excluded = next((one for one in intent.kernel_exclusions if one.covers(prefix)), None)
        if excluded is not None:
            return f"{excluded} stays out of the kernel"
        selected = self.selected(prefix)
        next_hops = () if selected is None else selected.next_hops
        if next_hops and all(one in intent.encrypted_next_hops for one in next_hops):
            return "by wireguard, whose routes are Felix's"
        return ""

    def prefixes(self, family: Family) -> Iterator[Nlri | None]:
        """All that is selected, wanted, or to be originated, each once; it bears changes meanwhile.

        None stands for one that came before, so that no step takes long.
        """
        yield from self.speaker.prefixes(family)
        for nlri in self.fib.all_wanted(family):
            yield nlri if self.speaker.selected(family, nlri) is None else None
        for prefix in self.origination.prefixes():
            is_new = prefix.family == family and self.selected(prefix) is None and self.wanted(prefix) is None
            yield prefix.nlri if is_new else None

    def totals(self) -> Totals:
        """How much each side has."""
        counted = self.fib.statistics()
        return Totals(
            originated=len(self.origination.prefixes()),
            selected=self.speaker.statistics().prefixes,
            wanted=counted.wanted,
            installed=counted.installed,
            foreign=counted.foreign,
        )

    def views(self, finding: Finding) -> Views:
        """A difference from all sides."""
        prefix, services = finding.prefix, () if self.intent is None else self.intent.service_ranges
        is_service = prefix in services
        kernel = finding.kernel if finding.kind in OF_THE_KERNEL else self.fib.routes(prefix)
        return Views(
            intent=intent_text(self.intended(prefix), self.excluded(prefix), service=is_service),
            loc_rib=selected_text(self.selected(prefix)),
            wanted=route_text(finding.wanted),
            kernel=kernel_text(kernel),
        )
