"""How the verbs that write tell what came of it, in calicoctl's words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, NoReturn

import click

from felixbgp.cli.kinds import described
from felixbgp.cli.report import Report
from felixbgp.cli.table import printable
from felixbgp.resources import ResourceKey

NAMED_MAX = 20
"""Objects of one sort named, and errors told, unless all are asked for: a person reads no more."""
_ON_ONE_LINE = 4
"""Errors; more are easier to read below each other."""


class Words(NamedTuple):
    """A verb, as in `Failed to apply` and as in `Successfully applied`, and why objects were skipped."""

    infinitive: str
    participle: str
    skipped: str = ""
    one_by_one: bool = False
    """Whether each failure is a sentence of its own, beside the number of successes (calicoctl's delete)."""


class _Outcome(NamedTuple):
    """What is to be told, and how much of it."""

    words: Words
    wanted: Sequence[ResourceKey]
    report: Report
    verbose: bool

    @property
    def kind(self) -> str:
        """`'BGPPeer' `, or nothing when there are several."""
        kinds = {key.kind for key in self.wanted}
        return f"'{kinds.pop()}' " if len(kinds) == 1 else ""

    @property
    def succeeded(self) -> list[ResourceKey]:
        """Those that are as they should be."""
        return [*self.report.done, *self.report.skipped]

    def listed(self, lines: Sequence[str]) -> list[str]:
        """The lines, or the first ones and how many there are more."""
        if self.verbose or len(lines) <= NAMED_MAX:
            return list(lines)
        return [*lines[:NAMED_MAX], f"and {len(lines) - NAMED_MAX} more (-v tells all)"]


def tell(
    words: Words,
    wanted: Sequence[ResourceKey],
    report: Report,
    *,
    dry_run: bool = False,
    verbose: bool = False,
) -> None:
    """Say which objects were written and which were not; failures end the command with 1."""
    outcome = _Outcome(words, wanted, report, verbose)
    if dry_run:
        click.echo(("" if words.one_by_one else "---\n").join(report.dry), nl=False)
        _tell_dry(outcome)
    elif not _errors(outcome) and not _left(outcome):
        say(*_success(outcome))
    else:
        with suppress(OSError):  # The whole rest is for standard error.
            say(*_done(outcome))
        _fail(outcome)


def say(*lines: str) -> None:
    """Say what was written; on standard error where standard output does not take it, which is raised."""
    if not lines:
        return
    text = "\n".join(lines)
    try:
        click.echo(text)
    except OSError:
        click.echo(text, err=True)
        raise


@contextmanager
def told_when_broken_off(
    words: Words, wanted: Sequence[ResourceKey], report: Report, *, verbose: bool
) -> Iterator[None]:
    """Say what was written when the command ends in another way than by itself: somebody interrupts it."""
    try:
        yield
    except BaseException:
        if report.has_written:
            outcome = _Outcome(words, wanted, report, verbose)
            with suppress(OSError):
                say(*_done(outcome))
            for line in (*_errors(outcome), *_left(outcome)):
                click.echo(f"error: {line}", err=True)
        raise


def _success(outcome: _Outcome) -> Iterator[str]:
    """How many were written."""
    count = len(outcome.succeeded)
    text = f"Successfully {outcome.words.participle} {count} {outcome.kind}resource(s)"
    if outcome.report.skipped:
        text += f" ({len(outcome.report.skipped)} {outcome.words.skipped})"
    yield text
    if outcome.verbose or _errors(outcome) or _left(outcome):
        yield from _named(outcome, outcome.report.done)


def _tell_dry(outcome: _Outcome) -> None:
    count = len(outcome.succeeded)
    text = f"{count} {outcome.kind}resource(s) would be {outcome.words.participle}; nothing was written"
    click.echo(text, err=True)
    if outcome.report.errors:
        _fail(outcome)


def _done(outcome: _Outcome) -> Iterator[str]:
    """What was written, when that is not all."""
    done = outcome.succeeded
    if done and outcome.words.one_by_one:
        yield from _success(outcome)
    elif done:
        counts = f"{len(done)} out of {len(outcome.wanted)} {outcome.kind}resources"
        yield f"Partial success: {outcome.words.participle} {counts}:"
        yield from _named(outcome, done)


def _named(outcome: _Outcome, keys: Sequence[ResourceKey]) -> Iterator[str]:
    return (f"  {line}" for line in outcome.listed([printable(described(key)) for key in keys]))


def _fail(outcome: _Outcome) -> NoReturn:
    """End the command with what went wrong."""
    failed, errors = f"Failed to {outcome.words.infinitive}", _errors(outcome)
    if outcome.words.one_by_one:
        headed = outcome.listed([f"{failed} {outcome.kind}resource: {text}" for text in errors])
    else:
        texts = outcome.listed(errors)
        several = len(outcome.wanted) > 1
        what = f"any {outcome.kind}resources" if several else f"{outcome.kind}resource"
        head = "Hit error(s)" if outcome.succeeded else f"{failed} {what}"
        few = len(texts) <= _ON_ONE_LINE
        headed = [f"{head}: [{', '.join(texts)}]"] if few else [f"{head}:", *texts]
    raise click.ClickException("\n".join([*headed, *_left(outcome)]))


def _errors(outcome: _Outcome) -> list[str]:
    """What went wrong: with one object each, and with the store."""
    report = outcome.report
    found = [
        printable(text if described(key) in text else f"{described(key)}: {text}")
        for key, text in report.errors
    ]
    return [*found, printable(report.broken_off)] if report.broken_off else found


def _left(outcome: _Outcome) -> list[str]:
    """What the store's failure, or an interruption, left undone."""
    unknown, untried = outcome.report.unknown, _untried(outcome)
    lines = []
    if unknown:
        lines.append(f"not known whether {outcome.words.participle}: {_names(outcome, unknown)}")
    if untried:
        lines.append(f"not tried: {_names(outcome, untried)}")
    return lines


def _names(outcome: _Outcome, keys: Sequence[ResourceKey]) -> str:
    return ", ".join(outcome.listed([printable(described(key)) for key in keys]))


def _untried(outcome: _Outcome) -> list[ResourceKey]:
    """Those of which the report says nothing."""
    report = outcome.report
    told = Counter([*outcome.succeeded, *report.unknown, *(key for key, _ in report.errors)])
    untried = []
    for key in outcome.wanted:
        if told[key]:
            told[key] -= 1
        else:
            untried.append(key)
    return untried
