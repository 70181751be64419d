"""YAML as the values that JSON would have given, by whichever parser PyYAML was built with."""

import pytest
import yaml

from felixbgp.resources import yaml_text
from felixbgp.resources.yaml_text import MAX_DEPTH, YamlDocument, read_yaml


@pytest.fixture(autouse=True, params=["CSafeLoader", "SafeLoader"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = getattr(yaml, request.param, None)
    if loader is None:
        pytest.skip("this PyYAML was built without libyaml")
    monkeypatch.setattr(yaml_text, "_LOADER", loader)


def the(text: str) -> YamlDocument:
    (document,) = read_yaml(text)
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: null, b: ~, c: , d: Null, e: nULL}", {"a": None, "b": None, "c": None, "d": None, "e": "nULL"}),
        ("[true, FALSE, yes, on]", [True, False, "yes", "on"]),
        ("[1, -1, +1, 0x10, 012, 1_000, 12:30]", [1, -1, 1, "0x10", 12, "1_000", "12:30"]),
        ("[1.5, .5, 1e3, 1., .inf, 2024-05-01]", [1.5, 0.5, 1000.0, 1.0, ".inf", "2024-05-01"]),
        ("['1', \"true\", !!str 1, ! 1, !other 1]", ["1", "true", "1", "1", 1]),
        ("a: |\n  1\nb: >\n  2\n", {"a": "1\n", "b": "2\n"}),
        ("{1: a, no: b, <<: c}", {"1": "a", "no": "b", "<<": "c"}),
        ('{"a": [{"b": []}, {}]}', {"a": [{"b": []}, {}]}),
        ("a: &x [1, {b: 2}]\nc: *x\n", {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}),
        ("&k a: 1\nb: *k\n", {"a": 1, "b": "a"}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_values_are_those_of_json(text: str, value: object) -> None:
    document = the(text)
    assert (document.value, document.error) == (value, "")


def test_documents_have_numbers_and_lines() -> None:
    text = "# nothing\n---\n\na: 1\n---\n---\n- b\n- c\n...\n---\nitems:\n  - d\n  - e: [1,\n      2]\n"
    assert [(each.number, each.line, each.value, each.item_lines) for each in read_yaml(text)] == [
        (1, 4, {"a": 1}, ()),
        (2, 6, None, ()),
        (3, 7, ["b", "c"], (7, 8)),
        (4, 11, {"items": ["d", {"e": [1, 2]}]}, (12, 13)),
    ]


@pytest.mark.parametrize(
    ("text", "line", "error"),
    [
        ("a: 1\nb: 2\na: 3\nc: 4\n", 3, 'has the field "a" twice'),
        ("a: 1\n? [b]\n: 2\n", 2, "has a field whose name is no text"),
        ("a: *b\n", 1, "is not YAML: found undefined alias 'b'"),
        ("a: *b\nc: &b 1\n", 1, "is not YAML: found undefined alias 'b'"),
    ],
)
def test_what_is_refused_does_not_stop_the_next_document(text: str, line: int, error: str) -> None:
    refused, following = read_yaml(f"{text}---\nfine: 1\n")
    assert refused == YamlDocument(1, line, error=error)
    assert following.value == {"fine": 1}


@pytest.mark.parametrize(
    ("text", "number", "line"),
    [
        ("a: 1\n---\na: b: c\n", 2, 3),
        ("a: 1\n---\n[1,\n2\n", 2, 4),
        ("{a: 1}\n{b: 2}\n", 2, 2),
        ("a: 1\n\tb: 2\n", 1, 2),
        ("a: b: c", 1, 1),
    ],
)
def test_what_is_not_yaml_ends_the_text(text: str, number: int, line: int) -> None:
    *_, last = read_yaml(text)
    assert (last.number, last.line) == (number, line)
    assert last.error.startswith("is not YAML: ")


def test_two_objects_need_a_line_between_them() -> None:
    _, second = read_yaml('{"a": 1}\n{"b": 2}\n')
    assert second == YamlDocument(
        2, 2, error="is not YAML: it is a second document, and no line --- is before it"
    )


DEEP = f"has more than {MAX_DEPTH} objects and lists inside each other"


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "&a [*a]", "&a {b: {c: *a}}"],
    ids=lambda text: text[:10],
)
def test_depth_is_limited_and_harms_nobody(text: str) -> None:
    assert the(text) == YamlDocument(1, 1, error=DEEP)


def test_the_deepest_that_is_read() -> None:
    assert the("[" * MAX_DEPTH + "]" * MAX_DEPTH).error == ""
    assert the("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).error == DEEP
    inner = "[" * (MAX_DEPTH // 2) + "]" * (MAX_DEPTH // 2)
    assert the(f"a: &a {inner}\nb: *a").error == ""
    assert the(f"a: &a {inner}\nb: {'[' * (MAX_DEPTH // 2)}*a{']' * (MAX_DEPTH // 2)}").error == DEEP


def test_aliases_count_as_if_they_were_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "MAX_VALUES", 20)
    assert the(f"a: &a [{', '.join('x' * 7)}]\nb: *a\n").error == ""
    assert the(f"a: &a [{', '.join('x' * 9)}]\nb: *a\n").error == "unfolds to more than 20 values"
    assert the(f"[{', '.join('x' * 20)}]").error == "unfolds to more than 20 values"


def test_names_of_anchors_end_with_their_document() -> None:
    _, second = read_yaml("&a x\n---\n*a\n")
    assert second.error == "is not YAML: found undefined alias 'a'"
