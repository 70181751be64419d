"""What all verbs of `felixbgp lab` have in common: the lab's name, and how they fail and are interrupted."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from felixbgp.lab.lab import EXPECTED, require
from felixbgp.lab.probes import ProbeError

name_option = click.option(
    "--name",
    envvar="FELIXBGP_LAB",
    default="felix",
    show_default=True,
    help="Which lab.  [env: FELIXBGP_LAB]",
)


class CannotError(click.ClickException):
    """This host lacks what the lab needs: exit status 2, as for a wrong command line."""

    exit_code = 2


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what can go wrong with a lab into a line and exit status 1."""
    try:
        yield
    except (*EXPECTED, ProbeError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, so that it clears up behind itself."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = [(number, signal.signal(number, interrupt)) for number in (signal.SIGTERM, signal.SIGHUP)]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def need(*, root: bool) -> None:
    """End with a line and exit status 2 when this host lacks what the command needs."""
    try:
        require(root=root)
    except EXPECTED as error:
        raise CannotError(str(error)) from error
