"""`felixbgp version`."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

import click


def felixbgp_version() -> str:
    """The version of the installed package, `unknown` when it runs from a bare tree."""
    try:
        return installed_version("felixbgp")
    except PackageNotFoundError:
        return "unknown"


@click.command()
def version() -> None:
    """Show the version of felixbgp and of what it runs on.

    \b
    Example:
      felixbgp version
    """  # noqa: D301 - \b tells click not to wrap
    click.echo(f"felixbgp {felixbgp_version()}")
    click.echo(f"Python {platform.python_version()}, {platform.system()} {platform.release()}")
