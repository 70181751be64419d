"""Which node a command is about, and what to say of one that is not there."""

import os
from collections.abc import Sequence

import click

from felixbgp.runtime.settings import node_name
from felixbgp.runtime.settings_file import SettingsError
from felixbgp.status.keys import NODES

_SHOWN_MAX = 20


def wanted_node(name: str | None) -> str:
    """The node that was named, else the one this runs on; ends the command when that has no name."""
    if name is not None:
        return name
    try:
        return node_name({}, os.environ)
    except SettingsError as error:
        raise click.ClickException(f"{error}; name the node, or give --all") from error


def missing_text(wanted: str | None, known: Sequence[str]) -> str:
    """That a node (None: any) has published nothing, and which ones have."""
    if wanted is None or not known:
        return f"no node has published a status under {NODES}"
    others = ", ".join(known[:_SHOWN_MAX]) + (", …" if len(known) > _SHOWN_MAX else "")
    return f"node {wanted!r} has not published a status; these have: {others}"
