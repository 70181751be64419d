"""What holds of any octets as a selector: an error that says where, or a meaning that is kept.

The first octet chooses whether the rest are UTF-8, or words of the language by number.
"""

import re
from typing import Final

from felixbgp.resources.selectors import (
    MAX_NESTED_PARENTHESES,
    MAX_SELECTOR_CHARACTERS,
    Expression,
    Selector,
    SelectorError,
    parse,
)
from tests.support.selectors import holds, mentioned

WORDS: Final = (
    *("(", ")", "{", "}", ",", "!", "&&", "||", "==", "!=", " in ", " not in ", " notin ", "has(", "all()"),
    *(
        "global()",
        " contains ",
        " starts with ",
        " ends with ",
        "'",
        '"',
        "''",
        "'x'",
        '"xy"',
        "'y'",
        "a",
        "b",
    ),
    *("in", "not", "has", " ", "\t", "\n", "=", "&", "|", "-", "x", "all(", "with", "starts", "l" * 256),
)
REASON: Final = re.compile(
    r"is not a selector: expected .+ at character \d+"
    r"|has a label of more than 512 characters"
    r"|has more than 50 parentheses inside each other"
    r"|is longer than 16384 characters"
)
OBJECTS_MAX: Final = 20


def selector(data: bytes) -> None:
    """Read a selector; then its canonical form says the same, and it selects what its words say."""
    text = _text(data)
    found = _parsed(text)
    if isinstance(found, str):
        assert REASON.fullmatch(found), found
        return
    assert str(found) == text
    _check_canonical(found)
    _check_meaning(found.expression, found)


def _parsed(text: str) -> Selector | str:
    """The selector, or what is wrong with it."""
    try:
        return parse(text)
    except SelectorError as error:
        return str(error)


def _text(data: bytes) -> str:
    if data[:1] < b"\x80":
        return "".join(WORDS[octet % len(WORDS)] for octet in data[1:])
    return data[1:].decode(errors="replace")


def _check_canonical(found: Selector) -> None:
    """It is read as the same, unless it became longer, or deeper, than what is read."""
    canonical = found.canonical
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", canonical)
    if len(canonical) <= MAX_SELECTOR_CHARACTERS and bare.count("(") <= MAX_NESTED_PARENTHESES:
        again = parse(canonical)
        assert again.expression == found.expression
        assert again.canonical == canonical


def _check_meaning(expression: Expression, found: Selector) -> None:
    """For objects without labels, and with each text that is mentioned, a part of it, and more than it."""
    objects: list[dict[str, str]] = [{}]
    for label, texts in sorted(mentioned(expression).items()):
        for text in ["", *sorted(texts)]:
            for value in (text, text[1:], f"{text}x", f"x{text}"):
                objects.append({**objects[-1], label: value})
    for labels in objects[:OBJECTS_MAX]:
        assert found.matches(labels) is holds(expression, labels), labels
