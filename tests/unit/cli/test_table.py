"""Tables."""

from felixbgp.cli.table import bordered, plain, printable


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


def test_a_plain_table_has_no_trailing_blanks() -> None:
    assert plain(("NAME", "NODE"), [("a-long-name", ""), ("b", "n")]) == (
        "NAME          NODE\n"
        "a-long-name\n"
        "b             n"
    )  # fmt: skip


def test_a_table_without_rows_is_its_header() -> None:
    assert plain(("NAME",), []) == "NAME"
    assert bordered(("NAME",), []).count("\n") == 3


def test_text_of_others_cannot_steer_the_terminal_or_break_the_table() -> None:
    assert printable("a\x1b[2Jb\nc\u202ed\x9b") == "a [2Jb c d"
    assert bordered(("A",), [("x\ny",)]).count("\n") == 4
