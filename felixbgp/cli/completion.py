"""What the shell completes besides verbs and flags: kinds, names from etcd, forms of output.

A completion is asked for while somebody types. So it never fails, and gives nothing when etcd does not
answer at once. Everything heavy is loaded when it is needed.
"""

from dataclasses import replace

import click
from click.shell_completion import CompletionItem

PATIENCE_SECONDS = 1.0
"""For all of it: whoever presses a key does not wait longer."""
_NAMES_MAX = 1_000
"""What a shell can show at all."""
_FORMS = ("ps", "wide", "yaml", "json", "custom-columns=", "jsonpath=", "jsonpath-file=")


def complete_kind(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    """The kinds, as people write them."""
    from felixbgp.resources.keys import PLURALS  # noqa: PLC0415

    return [plural for plural in sorted(PLURALS.values()) if plural.startswith(incomplete.lower())]


def complete_form(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    """The forms of output."""
    return [form for form in _FORMS if form.startswith(incomplete)]


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - click's
    """The names of the resources of the kind that was typed before."""
    from felixbgp.cli.kinds import kind_of, namespace_of  # noqa: PLC0415
    from felixbgp.resources.keys import prefix_of  # noqa: PLC0415

    try:
        kind = kind_of(ctx.params.get("kind") or "")
        prefix = prefix_of(kind, namespace_of(kind, ctx.params.get("namespace")))
    except click.UsageError:
        return []
    typed = ctx.params.get("names") or ()
    names = (key.removeprefix(prefix) for key in _keys(ctx, prefix + incomplete))
    return [CompletionItem(name) for name in names if name not in typed][:_NAMES_MAX]


def complete_node(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - click's
    """The nodes that have published something."""
    from felixbgp.status.keys import NODES, parse_key  # noqa: PLC0415

    parsed = (parse_key(key) for key in _keys(ctx, NODES + incomplete))
    names = dict.fromkeys(found[0] for found in parsed if found is not None)
    return [CompletionItem(name) for name in names][:_NAMES_MAX]


def _keys(ctx: click.Context, prefix: str) -> list[str]:
    """The keys in etcd that begin with `prefix`, in order; none when that cannot be told at once."""
    import trio  # noqa: PLC0415

    from felixbgp.cli.options import etcd_settings  # noqa: PLC0415
    from felixbgp.runtime.etcd.client import open_client  # noqa: PLC0415

    async def ask() -> list[str]:
        with trio.move_on_after(PATIENCE_SECONDS):
            async with open_client(settings) as client:
                return await client.get_keys(prefix)
        return []

    try:
        settings = replace(etcd_settings(ctx.params), connect_timeout_seconds=PATIENCE_SECONDS)
        return trio.run(ask)
    except Exception:  # noqa: BLE001 - whatever it is, a completion has nobody to tell
        return []
