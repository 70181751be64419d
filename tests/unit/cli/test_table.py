"""Tables."""

import sys

import pytest

from felixbgp.cli.table import Coloured, bordered, harmless, printable, tabbed, wants_colour


def test_a_bordered_table_is_calicoctls() -> None:
    table = bordered(("PEER ADDRESS", "STATE", "INFO"), [("10.0.0.2", "up", "Established"), ("a", "", "")])
    assert table == (
        "+--------------+-------+-------------+\n"
        "| PEER ADDRESS | STATE |    INFO     |\n"
        "+--------------+-------+-------------+\n"
        "| 10.0.0.2     | up    | Established |\n"
        "| a            |       |             |\n"
        "+--------------+-------+-------------+"
    )


def test_columns_are_as_wide_as_gos_tabwriter_makes_them() -> None:
    # tabwriter.NewWriter(os.Stdout, 5, 1, 3, ' ', 0), with a tab behind every cell, the last one too.
    assert tabbed(("NAME", "NODE", "A"), [("a-long-name", "", "x"), ("b", "n", "")]) == (
        "NAME          NODE   A    \n"
        "a-long-name          x    \n"
        "b             n           \n"
    )  # fmt: skip


def test_a_table_without_rows_is_its_header() -> None:
    assert tabbed(("NAME",), []) == "NAME   \n"
    assert bordered(("NAME",), []).count("\n") == 3


def test_a_colour_takes_no_room() -> None:
    plain = bordered(("A", "B"), [("x", "y"), ("xx", "yy")])
    coloured = bordered(("A", "B"), [("x", Coloured("y", "red")), ("xx", Coloured("yy", "green"))])
    assert coloured == plain.replace("y  |", "\x1b[31my \x1b[0m |").replace("yy |", "\x1b[32myy\x1b[0m |")


def test_text_of_others_cannot_steer_the_terminal_or_break_the_table() -> None:
    assert printable("a\x1b[2Jb\nc\u202ed\x9b") == "a [2Jb c d"
    assert harmless("a\x1b\n\tb") == "a \n\tb"
    assert bordered(("A",), [("x\ny",)]).count("\n") == 4
    assert tabbed(("A",), [("x\ty\n",)]) == "A      \nx y    \n"


@pytest.mark.parametrize(
    ("terminal", "environ", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
    ids=["terminal", "pipe", "NO_COLOR", "empty NO_COLOR", "dumb terminal"],
)
def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environ: dict[str, str], wanted: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert wants_colour() is wanted
