"""Calico's selector language, by the tables of its own tokenizer and parser."""

import pytest

from felixbgp.resources.selectors import (
    EVERYTHING,
    MAX_NESTED_PARENTHESES,
    MAX_SELECTOR_CHARACTERS,
    SelectorError,
    parse,
)

LABELS = {"rack": "rack-1", "a": "x", "empty": "", "in": "y", "has": "z", "all": "w", "p.q/r-s_t": "1"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        (" \t ", True),
        ("all()", True),
        ("all( )", True),
        ("global()", True),
        ("has(a)", True),
        ("has( a )", True),
        ("has(b)", False),
        ("has(empty)", True),
        ("rack == 'rack-1'", True),
        ('rack == "rack-1"', True),
        ("rack=='rack-2'", False),
        ("rack != 'rack-2'", True),
        ("b == 'x'", False),
        ("b != 'x'", True),
        ("empty == ''", True),
        ("rack contains 'ck-'", True),
        ("rack starts with 'rack'", True),
        ("rack startswith 'ack'", False),
        ("rack ends with '-1'", True),
        ("rack endswith 'rack'", False),
        ("b contains ''", False),
        ("a in {'x', 'y'}", True),
        ("a in {'x','y',}", True),
        ("a in {}", False),
        ("a not in {}", True),
        ("a not in {'x'}", False),
        ("a notin {'y'}", True),
        ("a not \t in {'y'}", True),
        ("b in {'x'}", False),
        ("b not in {'x'}", True),
        ("!has(b)", True),
        ("!!has(b)", False),
        ("! ! !has(b)", True),
        ("!a == 'x'", False),
        ("has(a) && has(b)", False),
        ("has(a) || has(b)", True),
        ("has(b) && has(b) || has(a)", True),
        ("has(a) || has(b) && has(b)", True),
        ("(has(a) || has(b)) && has(b)", False),
        ("!(has(a) && has(b))", True),
        ("!has(b) && has(b)", False),
        ("in in {'y'}", True),
        ("has == 'z'", True),
        ("all == 'w'", True),
        ("contains contains 'x'", False),
        ("p.q/r-s_t == '1'", True),
        ('a == "it\'s"', False),
    ],
)
def test_what_is_selected(text: str, selected: bool) -> None:
    assert parse(text).matches(LABELS) is selected


@pytest.mark.parametrize(
    "text",
    [
        "a = 'x'",
        "has(a) & has(b)",
        "has(a) | has(b)",
        "a == 'x",
        "a",
        "'x' == a",
        "a == b",
        "a in 'x'",
        "a in {'x' 'y'}",
        "a in {'x'",
        "a in {,}",
        "()",
        "has()",
        "has(a",
        "all(",
        "has(a) has(b)",
        "has(a) &&",
        "has(a) ||",
        "!",
        "(has(a)",
        "has(a))",
        "has(a)\n&& has(b)",
        "a ends withs 'x'",
        "a inn {'x'}",
        "a" * 513 + " == 'x'",
        "has(" + "a" * 513 + ")",
        "has(ä)",
        "(" * (MAX_NESTED_PARENTHESES + 1) + "all()" + ")" * (MAX_NESTED_PARENTHESES + 1),
        " " * (MAX_SELECTOR_CHARACTERS + 1),
    ],
)
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(SelectorError):
        parse(text)


def test_the_message_says_where() -> None:
    with pytest.raises(SelectorError, match=r"expected a text in quotes at character 6"):
        parse("a == b")


def test_limits_are_what_still_passes() -> None:
    assert parse("(" * MAX_NESTED_PARENTHESES + "all()" + ")" * MAX_NESTED_PARENTHESES).matches({})
    assert parse(" " * MAX_SELECTOR_CHARACTERS).matches({})
    assert parse("a" * 512 + " != 'x'").matches({})


def test_a_selector_is_the_text_that_was_written() -> None:
    assert str(parse("has( a )")) == "has( a )"
    assert parse("all()") == EVERYTHING
    assert parse("has(a)") != parse("has( a )")
