"""`felixbgp annotate`: set or remove annotations of a resource."""

from typing import Any

import click

from felixbgp.cli.key_values import ANNOTATIONS, change_texts, parse_changes
from felixbgp.cli.naming import object_arguments
from felixbgp.cli.options import etcd_options


@click.command()
@object_arguments
@click.argument("words", nargs=-1, required=True, metavar="KEY=VALUE|KEY-...")
@click.option("--overwrite", is_flag=True, help="Give a new value to a key that is there.")
@click.option("--remove", is_flag=True, help="Take away the keys that are given, without values.")
@etcd_options
def annotate(kind: str, name: str, words: tuple[str, ...], remove: bool, **given: Any) -> None:
    """Set annotations of one resource (KEY=VALUE), or remove them (KEY-).

    \b
    Examples:
      felixbgp annotate node node-1 projectcalico.org/RouteReflectorClusterID=244.0.0.1
      felixbgp annotate node node-1 projectcalico.org/RouteReflectorClusterID-
    """  # noqa: D301 - \b tells click not to wrap
    if given["overwrite"] and remove:
        raise click.UsageError("--overwrite and --remove cannot be used together")
    change_texts(ANNOTATIONS, kind, name, parse_changes(words, remove=remove), given)
