"""What is accepted for the sake of scripts that were written for calicoctl."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])


def accepted_from_calicoctl(command: AnyCallable) -> AnyCallable:
    """Give a command the flag that calicoctl has everywhere, without any meaning.

    Versions that differ are told by `felixbgp version`, and refused by nobody.
    """
    return click.option("--allow-version-mismatch", is_flag=True, hidden=True, expose_value=False)(command)
