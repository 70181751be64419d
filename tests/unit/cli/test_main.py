"""The command as a whole: exit codes, one-line errors, verbs loaded when called."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from felixbgp.cli import main
from felixbgp.cli.main import VERBS, Verb, VerbGroup, cli
from tests.support.command import run_command

COMMAND = [sys.executable, "-c", "from felixbgp.cli.main import main; main()"]


def group_that(action: Callable[[], object]) -> click.Group:
    """A group like ours with one verb, `act`."""
    group = VerbGroup("felixbgp")

    @click.command()
    def act() -> None:
        action()

    group.get_command = lambda ctx, cmd_name: act  # type: ignore[method-assign]  # noqa: ARG005 - click's names
    return group


def raising(error: BaseException) -> Result:
    def action() -> None:
        raise error

    return CliRunner().invoke(group_that(action), ["act"])


def test_help_lists_the_verbs_without_loading_any() -> None:
    program = (
        "import sys\n"
        "from felixbgp.cli.main import cli\n"
        "try:\n    cli.main(['--help'])\n"
        "except SystemExit as leaving:\n    assert leaving.code == 0\n"
        "print(sorted(name for name in sys.modules if name.startswith('felixbgp.cli.')))\n"
        "print('trio' in sys.modules, 'pydantic' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *help_lines, modules, heavy = done.stdout.splitlines()
    assert all(any(line.strip().startswith(verb) for line in help_lines) for verb in VERBS)
    assert modules == "['felixbgp.cli.main']"
    assert heavy == "False False"


@pytest.mark.parametrize("verb", ["convert", "validate"])
def test_verbs_that_need_no_etcd_do_not_load_its_client(verb: str) -> None:
    program = f"import sys, felixbgp.cli.{verb}; print('trio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_verb_that_cannot_be_loaded_says_so_and_breaks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, "lab", Verb("felixbgp.cli.no_such_module", "lab", "Run a lab."))
    broken = CliRunner().invoke(cli, ["lab", "up", "--nodes", "3"])
    assert broken.exit_code == 1
    expected = "error: 'lab' is not available here: No module named 'felixbgp.cli.no_such_module'\n"
    assert broken.output == expected
    assert CliRunner().invoke(cli, ["version", "--client"]).exit_code == 0
    assert CliRunner().invoke(cli, ["--help"]).exit_code == 0


def test_wrong_usage_is_a_line_and_a_hint_and_leaves_with_2() -> None:
    result = CliRunner().invoke(cli, ["frobnicate"], prog_name="felixbgp")
    assert result.exit_code == 2
    assert result.output == "error: No such command 'frobnicate'.\nTry 'felixbgp --help' for help.\n"


def test_a_group_without_a_verb_shows_its_help() -> None:
    result = CliRunner().invoke(cli, ["node"])
    assert "Commands:\n  audit" in result.output
    assert "error" not in result.output


def test_a_failure_is_a_line_per_fault_and_leaves_with_1() -> None:
    result = raising(click.ClickException("a.yaml: one\na.yaml: two"))
    assert result.exit_code == 1
    assert result.output == "error: a.yaml: one\nerror: a.yaml: two\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_leaves_quietly_with_130(error: BaseException) -> None:
    result = raising(error)
    assert result.exit_code == 130
    assert "error" not in result.output
    assert "Traceback" not in result.output


def test_failures_in_several_tasks_are_told_each() -> None:
    result = raising(ExceptionGroup("tasks", [click.ClickException("one"), click.ClickException("two")]))
    assert result.exit_code == 1
    assert result.output == "error: one\nerror: two\n"


def test_an_interrupt_of_tasks_counts_as_one() -> None:
    assert raising(BaseExceptionGroup("tasks", [KeyboardInterrupt(), ValueError("x")])).exit_code == 130


def test_a_fault_of_ours_is_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(main.DEBUG_VARIABLE, raising=False)
    result = raising(KeyError("a\nb"))
    assert result.exit_code == 1
    assert result.output == r"error: unexpected KeyError: 'a\nb' (FELIXBGP_DEBUG=1 shows where)" + "\n"


def test_a_fault_of_ours_is_shown_in_full_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(main.DEBUG_VARIABLE, "1")
    error = KeyError("a")
    assert raising(error).exception is error


def test_a_verb_that_returns_leaves_with_0() -> None:
    assert CliRunner().invoke(group_that(lambda: None), ["act"]).exit_code == 0


def test_a_reader_that_went_away_is_no_traceback() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [*COMMAND, "--help"], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")


def shell(line: str, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a line in which `"$@"` is the command."""
    return subprocess.run(
        ["sh", "-c", line, "sh", *COMMAND], capture_output=True, env={**os.environ, **environ}, check=False
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('"$@" --help >/dev/full', b"standard output cannot be written: No space left on device"),
        ('"$@" --help >&-', b"standard output cannot be written: Bad file descriptor"),
        ('"$@" validate -f - <&-', b"standard input: Bad file descriptor"),
    ],
)
def test_a_standard_stream_that_cannot_be_used_is_named(line: str, told: bytes, unbuffered: str) -> None:
    done = shell(line, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"error: " + told + b"\n")


def test_errors_that_nobody_wants_to_hear_of_are_none() -> None:
    done = shell('"$@" validate -f nosuch.yaml 2>&-')
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "latin-1:strict"])
def test_what_an_encoding_does_not_have_is_written_as_an_escape(encoding: str) -> None:
    done = shell('"$@" apply --help', PYTHONIOENCODING=encoding)
    ellipsis = "…".encode("utf-8" if encoding == "ascii" else "latin-1", "backslashreplace")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"URL[,URL" + ellipsis + b"]" in done.stdout


@pytest.mark.parametrize(
    ("kind", "given", "text"),
    [
        (click.FloatRange(0), "x", "'x' is not a number."),
        (click.FLOAT, "x", "'x' is not a number."),
        (click.IntRange(1), "1.5", "'1.5' is not a whole number."),
        (click.INT, "x", "'x' is not a whole number."),
        (click.IntRange(1), "0", "0 is not in the range x>=1."),
    ],
)
def test_a_number_that_is_none_is_refused_in_plain_words(kind: Any, given: str, text: str) -> None:
    group = group_that(lambda: None)
    act = group.get_command(click.Context(group), "act")
    assert act is not None
    act.params.append(click.Argument(["number"], type=kind, expose_value=False))
    result = CliRunner().invoke(group, ["act", given])
    assert (result.exit_code, result.output.splitlines()[0]) == (
        2,
        f"error: Invalid value for 'NUMBER': {text}",
    )


def test_a_settings_file_that_cannot_be_read_fails_in_one_way(tmp_path: Path) -> None:
    for file, reason in ((tmp_path, "Is a directory"), (tmp_path / "nosuch", "no such file")):
        ran = run_command("get", "nodes", "-c", str(file))
        assert (ran.exit_code, ran.stderr) == (1, f"error: {file}: {reason}\n")


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version  # noqa: PLC0415 - only here

    told = CliRunner().invoke(cli, ["version", "--client"]).output
    assert told.startswith(f"Client Version:    {version('felixbgp')}\nClient Platform:   Python ")
    assert CliRunner().invoke(cli, ["--version"]).output.rstrip().endswith(version("felixbgp"))
