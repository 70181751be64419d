"""Whatever stands in the store is shown, in every form, and steers no terminal."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.cli.jsonpath import TemplateError, parse, render
from felixbgp.cli.objects import Found, as_object
from felixbgp.cli.output import Surroundings, parse_form
from felixbgp.cli.store import Stored
from felixbgp.resources.keys import PLURALS

WORDS = [
    "name",
    "bgp",
    "asNumber",
    "node",
    "peerIP",
    "ipNetworks",
    "exportV4",
    "",
    "a",
    "\x1b[2J",
    "\x9b\u202e",
    "é\n\t",
]
SCALARS = st.none() | st.booleans() | st.integers(-1, 70_000) | st.floats(0, 9) | st.sampled_from(WORDS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["kind", "apiVersion", "metadata", "spec", "status", "x"]), VALUES)


@given(OBJECTS, st.sampled_from(sorted(PLURALS)))
def test_any_object_is_shown_in_every_form(stored: dict[str, object], kind: str) -> None:
    found = as_object(Stored("k", json.dumps(stored).encode(), 1))
    assert isinstance(found, dict)
    listing = [Found(kind, (found,), 2)]
    surroundings = Surroundings(namespaces=True)
    for form in ("ps", "wide"):
        table = parse_form(form)(listing, surroundings)
        header, row, empty, end = table.split("\n")
        assert (len(header), empty, end) == (len(row), "", "")
        assert (header + row).isprintable()
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        text = parse_form(form)(listing, surroundings)
        assert all(character.isprintable() or character == "\n" for character in text)
        assert read(text)["items"] == [found]


PIECES = [
    "{",
    "}",
    ".",
    "..",
    "[",
    "]",
    "*",
    "?(",
    "@",
    ")",
    "==",
    "'a'",
    '"b"',
    "range ",
    "end",
    "x-y",
    "\\.",
    "$",
    "1",
    " ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), VALUES)
def test_any_template_is_rendered_or_refused(template: str, value: object) -> None:
    assert outcome(template, {"a": value, "x-y": [value]})


def outcome(template: str, whole: object) -> str:
    try:
        return f"printed: {render(parse(template), whole)}"
    except TemplateError as error:
        return f"refused: {error}"
