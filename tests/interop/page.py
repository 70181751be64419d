"""docs/interop.md: the matrix as it was measured."""

from collections.abc import Iterator, Mapping

from tests.interop.matrix import CELLS, DAEMONS, Cell, Finding, Verdict
from tests.interop.plan import VARIANTS, Feature

HEAD = """\
# Interoperability

Written by `make interop`: every cell is a test against the real daemon, of the Debian package named here, in
network namespaces. Rows are daemons, kinds of session and families; columns are features.

* **works**: seen from both sides; what exactly stands below the table.
* **in part**: the daemon has half of it, which works; what is missing stands below.
* **cannot**: the daemon has not got it; its own words or documentation stand below.
* **n/a**: there is no such thing in that kind of session.
"""


def render(findings: Mapping[Cell, Finding], versions: Mapping[str, str]) -> str:
    """The whole page."""
    return "\n".join((HEAD, *_versions(versions), "", *_table(findings), "", *_details(findings)))


def read(text: str) -> dict[Cell, str]:
    """The words in the table of a page; nothing of the texts and versions, which change with the packages."""
    rows = [[field.strip() for field in line.strip("|").split("|")] for line in text.splitlines()]
    words = {(row[0], row[1]): row[2:] for row in rows if len(row) == len(Feature) + 2}
    columns = list(Feature)
    return {
        cell: words[cell.daemon.name, str(cell.variant)][columns.index(cell.feature)]
        for cell in CELLS
        if (cell.daemon.name, str(cell.variant)) in words
    }


def _versions(versions: Mapping[str, str]) -> Iterator[str]:
    yield "| daemon | package | version |"
    yield "|---|---|---|"
    for daemon in DAEMONS:
        yield f"| {daemon.name} | {daemon.package} | {versions[daemon.name]} |"


def _table(findings: Mapping[Cell, Finding]) -> Iterator[str]:
    yield "| daemon | session | " + " | ".join(feature.value for feature in Feature) + " |"
    yield "|---" * (len(Feature) + 2) + "|"
    for daemon in DAEMONS:
        for variant in VARIANTS:
            words = [findings[Cell(daemon, variant, feature)].verdict.value for feature in Feature]
            yield f"| {daemon.name} | {variant} | " + " | ".join(words) + " |"


def _details(findings: Mapping[Cell, Finding]) -> Iterator[str]:
    for daemon in DAEMONS:
        yield f"## {daemon.name}\n"
        if daemon.note:
            yield daemon.note
        for feature in Feature:
            texts: dict[Finding, list[str]] = {}
            for variant in VARIANTS:
                finding = findings[Cell(daemon, variant, feature)]
                texts.setdefault(finding, []).append(str(variant))
            for finding, where in texts.items():
                if finding.verdict is not Verdict.NOT_APPLICABLE:
                    scope = "" if len(where) == len(VARIANTS) else f" ({', '.join(where)})"
                    yield f"- **{feature.value}**{scope}: {finding.text}"
        yield ""
