"""kubectl's jsonpath templates."""

import pytest

from felixbgp.cli.jsonpath import RANGES_MAX, TEMPLATE_CHARACTERS_MAX, TemplateError, parse, render

WHOLE = {
    "kind": "NodeList",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"x.y/z-w": "dotted", "rack-no": "7"}},
            "spec": {"node": "n", "weight": 2.5, "on": True, "none": None, "list": [1, "two"]},
        },
        {"metadata": {"name": "b"}, "spec": {"weight": 1}},
    ],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        # Text and expressions.
        ("{.kind}", "NodeList"),
        ("{.items[*].metadata.name}", "a b"),
        ('names: {.items[*].metadata.name}{"\\n"}', "names: a b\n"),
        ("{ .kind }", "NodeList"),
        ("{$.kind} {@.kind}", "NodeList NodeList"),
        ("{['kind']}", "NodeList"),
        ("{\"a}b\"}{'c'}", "a}bc"),
        ('{"\\t\\u00e9\\x41\\\\\\""}', '\téA\\"'),
        # Places.
        ("{.items[1].metadata.name}", "b"),
        ("{.items[-1:].metadata.name}", "b"),
        ("{.items[0:2:1].metadata.name}", "a b"),
        ("{.items[0,1].metadata.name}", "a b"),
        ("{..name}", "a b"),
        ("{.items..['name']}", "a b"),
        ("{.items[*]..name}", "a b"),
        ("{.items[1]['metadata','spec']}", '{"name":"b"} {"weight":1}'),
        # Names that a dot or a dash is in.
        ("{.items[0].metadata.labels.x\\.y/z-w}", "dotted"),
        ("{.items[0].metadata.labels['x\\.y/z-w']}", "dotted"),
        ("{.items[0].metadata.labels['x.y/z-w']}", "dotted"),
        ("{.items[0].metadata.labels.rack-no}", "7"),
        # Conditions.
        ('{.items[?(@.spec.node=="n")].metadata.name}', "a"),
        ("{.items[?(@.spec.weight<2.5)].metadata.name}", "b"),
        ('{.items[?(@.metadata.labels.rack-no=="7")].metadata.name}', "a"),
        ('{.items[?(@.metadata.labels.x\\.y/z-w=="dotted")].metadata.name}', "a"),
        # Values that are no text.
        ("{.items[0].spec.on} {.items[0].spec.none} {.items[0].spec.weight}", "true null 2.5"),
        ("{.items[0].spec.list}", '[1,"two"]'),
        # Nothing there.
        ("<{.nope}><{.items[9].metadata.name}><{.kind.name}>", "<><><>"),
        # Ranges.
        ('{range .items[*]}{.metadata.name}{"\\t"}{.spec.node}{"\\n"}{end}', "a\tn\nb\t\n"),
        ("{range .items[*]}{range .metadata}{.name}{end}<{$.kind}>{end}.", "a<NodeList>b<NodeList>."),
        ("{range .items[0].spec.list[*]}({.}){end}", "(1)(two)"),
        ("{range .items[0].spec.list[*]}({.x}){end}", "()()"),
        ("{range .nope[*]}x{end}", ""),
    ],
)
def test_what_a_template_prints(template: str, text: str) -> None:
    assert render(parse(template), WHOLE) == text


def test_the_whole_is_printed_as_json() -> None:
    for template in ("{.}", "{$}", "{@}"):
        assert render(parse(template), {"a": ["é"]}) == '{"a":["é"]}'


def test_a_text_that_looks_like_json_is_a_text() -> None:
    assert render(parse("{range .a[*]}{.b}{.}{end}"), {"a": ['{"b": 1}', "x"]}) == '{"b": 1}x'


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (".kind", r"has no expression; expressions stand in braces: {\.kind}"),
        ("{.kind", r"has a brace that is not closed: {\.kind"),
        ('{"a}', 'has a brace that is not closed: {"a}'),
        ("{kind}", r"has no expression in {kind}; one begins with a dot: {\.metadata\.name}"),
        ("{}", "has no expression in {}"),
        ("{range}{end}", "has no expression in {}"),
        ("{end}", "has an {end} without a {range}"),
        ("{range .items[*]}", "has a {range} without an {end}"),
        ('{"a" "b"}', "has more than a text in braces"),
        ("{.items[}", r"has an expression that cannot be read, \.items\[: "),
        ("{.items[?(@.x=)]}", "has an expression that cannot be read"),
        ("{.items[0]!}", "has an expression that cannot be read"),
        ("{" + "(" * 9 + "}", "has no expression"),
        ("{.a[?(" + "(" * 5_000 + "@)]}", "has an expression that cannot be read"),
        ("{.a}" + "x" * TEMPLATE_CHARACTERS_MAX, "is longer than 65536 characters"),
        ("{range .a}" * (RANGES_MAX + 1), "has more than 16 ranges inside each other"),
    ],
)
def test_what_is_no_template_is_refused(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=f"^{message}"):
        parse(template)


def test_a_comparison_that_cannot_be_made_finds_nothing_or_says_why() -> None:
    assert render(parse("{.items[?(@.metadata>1)].metadata.name}"), WHOLE) == ""
