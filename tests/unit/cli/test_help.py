"""Every verb has help with an example that is the verb's own."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from felixbgp.cli.main import cli


def command_paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command below one, groups included."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command, info_name="felixbgp")
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from command_paths(inner, (*path, name))


PATHS = list(command_paths(cli))
READING = ("convert", "get", "node", "validate", "version")


def test_the_tree_has_the_verbs_we_promise() -> None:
    promised = [("agent",), ("apply",), ("delete",), ("get",), ("lab",), ("node", "status"), ("version",)]
    promised += [("convert",), ("validate",), ("node", "diags")]
    assert set(promised) <= set(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_shows_an_example_of_the_verb(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="felixbgp")
    assert result.exit_code == 0
    _, _, examples = result.output.partition("Example")
    assert " ".join(("felixbgp", *path)) in examples
    # Click joins the lines of a paragraph unless \b stands before it.
    assert "\\b" not in result.output
    assert all(line.count("felixbgp ") <= 1 for line in examples.splitlines() if "$(" not in line)


@pytest.mark.parametrize("path", [path for path in PATHS if path and path[0] in READING], ids=" ".join)
def test_flags_that_calicoctl_has_everywhere_are_accepted(path: tuple[str, ...]) -> None:
    context = click.Context(cli)
    command: click.Command | None = cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(context, name)
    assert command is not None
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert isinstance(command, click.Group) or "--allow-version-mismatch" in flags
