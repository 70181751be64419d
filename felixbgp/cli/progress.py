"""A progress bar for people who wait, and nothing for programs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

PROGRESS_FROM = 500
"""Fewer objects are written before anybody could read a progress bar."""


@contextmanager
def progress(count: int, label: str) -> Iterator[Callable[[int], None]]:
    """What to call with the number of objects done, as they get done."""
    if count < PROGRESS_FROM or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=count, file=sys.stderr, label=label, show_pos=True) as bar:
        yield bar.update
