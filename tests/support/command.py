"""The command as a process would be run, without one: its exit code, and what it prints where.

click's own runner keeps the two outputs apart in some of its versions only.
"""

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

from felixbgp.cli.main import cli


class Ran(NamedTuple):
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything it printed."""
        return self.stdout + self.stderr


def run_command(*arguments: str, given: str = "") -> Ran:
    """`felixbgp ARGUMENTS`, with `given` as standard input."""
    out, err = io.StringIO(), io.StringIO()
    standard_input = io.TextIOWrapper(io.BytesIO(given.encode()))
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", standard_input):
        try:
            cli.main(list(arguments), prog_name="felixbgp")
        except SystemExit as leaving:
            code = leaving.code
    return Ran(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())
