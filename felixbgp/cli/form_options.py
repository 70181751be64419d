"""Flags that many verbs have alike, and that need nothing to be loaded."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])


def output_option(*forms: str, text: str = "Form of the output.") -> Callable[[AnyCallable], AnyCallable]:
    """A flag for one of these forms, the first unless given."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help=text,
    )


def timeout_option(text: str, *, default: float, at_most: float) -> Callable[[AnyCallable], AnyCallable]:
    """A flag for how many seconds to wait."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0, max=at_most, min_open=True),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )
