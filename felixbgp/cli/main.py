"""The command `felixbgp`: its verbs, its exit codes, and how it says what went wrong.

Verbs are loaded when they are called, so help is fast and one that cannot be loaded breaks no other. An
error is one line, `error: …`; a traceback appears only with FELIXBGP_DEBUG=1.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, NoReturn, TextIO

import click
from click.shell_completion import CompletionItem

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
DEBUG_VARIABLE = "FELIXBGP_DEBUG"
_NUMBERS = {
    "a valid integer range": "a whole number",
    "a valid integer": "a whole number",
    "a valid float range": "a number",
    "a valid float": "a number",
}
"""What click calls its own types, in words for people."""
_NO_ARGUMENTS: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""Since click 8.2; before that click printed the help itself."""


class Verb(NamedTuple):
    """Where a verb lives, and what `felixbgp --help` says of it without loading it."""

    module: str
    command: str
    summary: str


VERBS = {
    "agent": Verb("felixbgp.cli.agent", "agent", "Run the agent of this node."),
    "annotate": Verb("felixbgp.cli.annotate", "annotate", "Set or remove annotations of a resource."),
    "apply": Verb("felixbgp.cli.apply", "apply", "Create or update resources from a file."),
    "convert": Verb("felixbgp.cli.convert", "convert", "Bring resources of Calico's v1 API into v3."),
    "create": Verb("felixbgp.cli.create", "create", "Create resources from a file."),
    "delete": Verb("felixbgp.cli.delete", "delete", "Delete resources by file or by name."),
    "diags": Verb("felixbgp.cli.diags", "diags", "Gather what helps to find a fault into one archive."),
    "explain": Verb("felixbgp.cli.explain", "explain", "Say why a prefix is where it is, or is not."),
    "get": Verb("felixbgp.cli.get", "get", "Show resources."),
    "history": Verb("felixbgp.cli.history", "history", "Show what changed and what became of the sessions."),
    "label": Verb("felixbgp.cli.label", "label", "Set or remove labels of a resource."),
    "lab": Verb("felixbgp.cli.lab", "lab", "Run a whole cluster on this machine."),
    "node": Verb(
        "felixbgp.cli.node", "node", "Show what the nodes tell, audit them, take them out of service."
    ),
    "patch": Verb("felixbgp.cli.patch", "patch", "Change some fields of a resource."),
    "plan": Verb("felixbgp.cli.plan", "plan", "Say what a change would do, before it is made."),
    "replace": Verb("felixbgp.cli.replace", "replace", "Update resources from a file."),
    "replay": Verb("felixbgp.cli.replay", "replay", "Replay the journal of an agent, and compare."),
    "simulate": Verb("felixbgp.cli.simulate", "simulate", "Run simulated clusters in which things go wrong."),
    "topology": Verb("felixbgp.cli.topology", "topology", "Draw the sessions of the cluster."),
    "validate": Verb("felixbgp.cli.validate", "validate", "Check files of resources, without etcd."),
    "version": Verb("felixbgp.cli.version", "version", "Show the versions of the client and the cluster."),
}


class VerbGroup(click.Group):
    """A group whose commands are those of `VERBS`, loaded when wanted, and which ends the process itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs by name."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Load one verb; one that lacks a module becomes a command that says so."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        try:
            command = getattr(importlib.import_module(verb.module), verb.command)
        except ImportError as error:
            return _unavailable(cmd_name, verb, str(error))
        if not isinstance(command, click.Command):
            raise TypeError(f"{verb.module}.{verb.command} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the verbs without loading any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs without loading any of them, which click's own way would, and the flags."""
        verbs = [
            CompletionItem(name, help=verb.summary)
            for name, verb in VERBS.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and leave the process with 0, 1 (it failed), 2 (wrong usage) or 130 (interrupted)."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except BaseException as error:  # noqa: BLE001 - the last place there is; everything becomes a line
            sys.exit(_exit_code(error))
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog='Shell completion: eval "$(_FELIXBGP_COMPLETE=bash_source felixbgp)", or zsh_source, fish_source.',
)
@click.version_option(package_name="felixbgp", message="%(prog)s %(version)s")
def cli() -> None:
    """BGP networking for Calico-style clusters: one agent per node, driven by etcd.

    \b
    Examples:
      felixbgp apply -f tor.yaml
      felixbgp node status --all
      felixbgp agent --node node-1
    """  # noqa: D301 - \b tells click not to wrap


def main() -> NoReturn:
    """The entry point of the installed command."""
    _open_standard_streams()
    cli.main(prog_name="felixbgp")


def _open_standard_streams() -> None:
    """Have all three, so that one that is closed (`>&-`) is an error of the system where it is used.

    Standard output writes what its encoding does not have as escapes, as standard error does anyway. And it
    keeps what it could not write, PYTHONUNBUFFERED or not: `_output_fault` looks for that.
    """
    if sys.stdin is None:
        # By number, or a socket would get one of them; opened the other way round, so that its use is EBADF.
        sys.stdin = _opened(os.open(os.devnull, os.O_WRONLY), "r", "utf-8")
    if sys.stdout is None:
        sys.stdout = _opened(os.open(os.devnull, os.O_RDONLY), "w", "utf-8")
    else:
        sys.stdout = _opened(sys.stdout.fileno(), "w", sys.stdout.encoding)
    if sys.stderr is None:
        # Where nobody wants to hear of errors, they are no error.
        sys.stderr = _opened(os.open(os.devnull, os.O_WRONLY), "w", "utf-8")


def _opened(number: int, mode: Literal["r", "w"], encoding: str) -> TextIO:
    return open(number, mode, encoding=encoding, errors="backslashreplace", closefd=False)


def _unavailable(name: str, verb: Verb, reason: str) -> click.Command:
    def fail(args: tuple[str, ...]) -> NoReturn:  # noqa: ARG001 - whatever was given, it cannot be done
        raise click.ClickException(f"{name!r} is not available here: {reason}")

    return click.Command(
        name,
        callback=fail,
        params=[click.Argument(["args"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        help=f"{verb.summary}\n\nNot available here: {reason}\n\nExample: felixbgp {name}",
    )


def _exit_code(error: BaseException) -> int:
    """Tell what happened, in a line each, and give the code to leave with."""
    fault = _output_fault()
    codes = [_tell(leaf) for leaf in _leaves(error) if not (fault and isinstance(leaf, OSError))]
    if fault:
        click.echo(f"error: standard output cannot be written: {fault}", err=True)
        codes.append(EXIT_FAILED)
    return EXIT_INTERRUPTED if EXIT_INTERRUPTED in codes else max(codes)


def _output_fault() -> str:
    """Why standard output does not take what it still has; nothing when it has nothing."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try once more when it leaves, and end with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error.strerror or str(error)
    return ""


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors themselves: tasks that fail together come in groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _tell(error: BaseException) -> int:
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else EXIT_FAILED
        case click.Abort() | KeyboardInterrupt():
            return EXIT_INTERRUPTED
        case click.UsageError() if isinstance(error, _NO_ARGUMENTS):
            # A group without a verb: its help is the whole message.
            click.echo(error.format_message(), err=True)
            return EXIT_USAGE
        case click.UsageError():
            _usage(error)
            return EXIT_USAGE
        case click.ClickException():
            for line in error.format_message().splitlines():
                click.echo(f"error: {line}", err=True)
            return error.exit_code
        case _:
            return _unexpected(error)


def _usage(error: click.UsageError) -> None:
    text = " ".join(error.format_message().split())
    for type_of_click, ours in _NUMBERS.items():
        text = text.replace(type_of_click, ours)
    click.echo(f"error: {text}", err=True)
    if error.ctx is not None:
        click.echo(f"Try '{error.ctx.command_path} --help' for help.", err=True)


def _unexpected(error: BaseException) -> int:
    """A fault of ours: still a line, and the way to learn more."""
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    described = " ".join(f"{type(error).__name__}: {error}".split())
    click.echo(f"error: unexpected {described} ({DEBUG_VARIABLE}=1 shows where)", err=True)
    return EXIT_FAILED
