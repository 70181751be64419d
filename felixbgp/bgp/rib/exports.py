"""What becomes of paths on their way out to one kind of peer, worked out once for all their prefixes.

path ─▶ policy, narrowed to its source and attributes ─▶ Decided ─▶ Export, shared by all that are told alike
"""

from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.evaluate import AttributeView, Decided, PolicyView, PrefixView
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.export import Export, ExportView, export, prohibition, told_attributes
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.rib.trace import Telling, ToldTrace
from felixbgp.net import Nlri

_NO_ADDRESS: Final = "our end of the session has no address of this family to offer as NEXT_HOP"

# Bounds of memory are no `Final`: mypyc would build their values in, and no test could set smaller ones.
EXPORTS_MAX: int = 2048
"""Remembered results per path. When full all are forgotten, as finding the dead ones would cost as much; to
forget more would take more than 2 ms. Prefixes of one path mostly come together."""
EXPORTS_OCTETS_MAX: int = 64 << 20
"""The same for the memory they keep: 1 KiB for each, as much as the paths of the Internet take."""
POLICIES_MAX: int = 4096
"""Interfaces for which the policy is kept in narrowed form, which workloads come and go with; likewise."""


class Exports:
    """The policy and the rules of one export view, with a bounded memory of their results."""

    __slots__ = ("_exports", "_interned", "_octets", "_policies", "_view", "_views")

    def __init__(self, view: ExportView) -> None:
        self._view = view
        self._exports: dict[Path | Decided, Export | None] = {}
        """By path; where the policy changed its attributes, by its decision, which is one path's."""
        self._interned: dict[tuple[PeerId | None, bytes, bytes], Export] = {}
        """By what is told: source and encoded attributes."""
        self._policies: dict[tuple[RouteSource, str], PolicyView] = {}
        self._views: dict[Path, PrefixView | AttributeView] = {}
        self._octets = 0
        """About how much memory these results keep."""

    def of(self, nlri: Nlri, path: Path) -> Export | None:
        """What to tell of a path to this prefix; None: nothing."""
        view = self.view_of(path)
        return self.of_decided(path, view.constant or view.decide(nlri))

    def view_of(self, path: Path) -> PrefixView | AttributeView:
        """The policy, narrowed to a path."""
        policy = self._policies.get((path.source, path.interface)) or self._policy_of(path)
        return policy.plain or self._views.get(path) or self._attribute_view_of(path, policy)

    def of_decided(self, path: Path, decided: Decided) -> Export | None:
        """What to tell of a path, given what the policy says of it."""
        if not decided.accepted:
            return None
        key = path if decided.attributes is None else decided
        return self._exports[key] if key in self._exports else self._export(path, decided, key)

    def trace(self, nlri: Nlri, path: Path) -> tuple[ToldTrace, Export | None]:
        """The same, and what decided; nothing is remembered of it.

        Where the standard forbids it, that is what is said, whatever the policy says.
        """
        view = self._view
        forbidden = prohibition(view, path)
        if forbidden:
            return ToldTrace(
                path, Telling.WITHHELD, None, is_by_policy=False, rule=None, reason=forbidden
            ), None
        narrowed = PolicyView(view.policy, view.family, path.source, path.interface)
        decided = narrowed.of(path.attributes).decide(nlri)
        if not decided.accepted:
            return ToldTrace(
                path, Telling.WITHHELD, None, is_by_policy=True, rule=decided.rule, reason=""
            ), None
        told, result = told_attributes(view, path, decided.attributes), export(view, path, decided.attributes)
        if told is None or result is None:
            return ToldTrace(
                path, Telling.WITHHELD, None, is_by_policy=False, rule=decided.rule, reason=_NO_ADDRESS
            ), None
        return ToldTrace(path, Telling.TOLD, told, is_by_policy=False, rule=decided.rule, reason=""), result

    def _policy_of(self, path: Path) -> PolicyView:
        if len(self._policies) >= POLICIES_MAX:
            self._policies.clear()
        narrowed = PolicyView(self._view.policy, self._view.family, path.source, path.interface)
        self._policies[path.source, path.interface] = narrowed
        return narrowed

    def _attribute_view_of(self, path: Path, policy: PolicyView) -> PrefixView | AttributeView:
        self._make_room(len(self._views), path)
        view = self._views[path] = policy.of(path.attributes)
        return view

    def _export(self, path: Path, decided: Decided, key: Path | Decided) -> Export | None:
        self._make_room(len(self._exports), path)
        result = export(self._view, path, decided.attributes)
        if result is not None:
            # Paths that differ in what is not exported become one, and share their messages.
            encoded = result.encoded
            result = self._interned.setdefault((result.source, encoded.octets, encoded.reach), result)
        self._exports[key] = result
        return result

    def _make_room(self, count: int, path: Path) -> None:
        """Forget what was worked out once it is too much; one more result of a path will be kept."""
        if count >= EXPORTS_MAX or self._octets >= EXPORTS_OCTETS_MAX:
            self._exports.clear()
            self._interned.clear()
            self._views.clear()
            self._octets = 0
        self._octets += path.octets
