"""Rules of a BGPFilter that can never match, told for the person who wrote them."""

from collections.abc import Iterable
from typing import Final

from felixbgp.bgp.policy.shadowing import Unreachable, unreachable
from felixbgp.bgp.policy.types import Rule
from felixbgp.intent.policies import compiled_rule
from felixbgp.net import IPV4, IPV6, Family
from felixbgp.resources import BgpFilter
from felixbgp.resources.bgp_filter import FilterRule, MatchOperator
from felixbgp.resources.errors import FieldError

_PEER_TYPES: Final = {False: "eBGP", True: "iBGP"}
"""By whether the peer has the same AS number."""


def unreachable_rules(bgp_filter: BgpFilter) -> list[FieldError]:
    """One finding per rule that matches no route, whatever the peer; `field` is its path, `value` is empty.

    Sound, not complete: a rule that several earlier ones cover only together is not found.
    """
    spec = bgp_filter.spec
    return [
        *_of_list("spec.exportV4", spec.export_v4, IPV4, received=False),
        *_of_list("spec.importV4", spec.import_v4, IPV4, received=True),
        *_of_list("spec.exportV6", spec.export_v6, IPV6, received=False),
        *_of_list("spec.importV6", spec.import_v6, IPV6, received=True),
    ]


def _of_list(
    field: str, rules: tuple[FilterRule, ...], family: Family, *, received: bool
) -> Iterable[FieldError]:
    """A rule must be unreachable for every type of peer that it is for."""
    by_peer_type = {
        same_as: _findings(rules, family, same_as=same_as, received=received) for same_as in _PEER_TYPES
    }
    for number, rule in enumerate(rules):
        concerned = [found for found in by_peer_type.values() if number in found]
        findings = [found[number] for found in concerned]
        known = [finding for finding in findings if finding is not None]
        if len(known) == len(findings):
            yield FieldError(f"{field}[{number}]", "", f"can never match: {_reason(field, rule, known)}")


def _findings(
    rules: tuple[FilterRule, ...], family: Family, *, same_as: bool, received: bool
) -> dict[int, Unreachable | None]:
    """By place, for the rules that are for this type of peer; None for one that can match."""
    compiled: dict[int, Rule] = {}
    for number, rule in enumerate(rules):
        found = compiled_rule("", rule, same_as=same_as)
        if found is not None:
            compiled[number] = found
    places = list(compiled)
    findings: dict[int, Unreachable | None] = dict.fromkeys(places)
    for finding in unreachable(tuple(compiled.values()), family, received=received):
        by = None if finding.by is None else places[finding.by]
        findings[places[finding.rule]] = finding._replace(rule=places[finding.rule], by=by)
    return findings


def _reason(field: str, rule: FilterRule, findings: list[Unreachable]) -> str:
    """In words; `findings` has one per type of peer."""
    covering = sorted({finding.by for finding in findings if finding.by is not None})
    if covering:
        names = " and ".join(f"{field}[{number}]" for number in covering)
        verb = "decides" if len(covering) == 1 else "decide"
        return f"{names} {verb} before it on every route that it would match"
    if rule.prefix_length is not None and rule.match_operator is MatchOperator.EQUAL:
        return "Equal compares the prefix with all those of prefixLength at once; In asks for one of them"
    return findings[0].reason
