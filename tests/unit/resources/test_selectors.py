"""Calico's selector language: grammar, truth, and what is refused and in what words.

The rows follow the tables of Calico's own tokenizer and parser, and each point of the language's description.
"""

import pytest

from felixbgp.resources.selectors import (
    EVERYTHING,
    MAX_NESTED_PARENTHESES,
    MAX_SELECTOR_CHARACTERS,
    SelectorError,
    parse,
)

LABELS = {"rack": "rack-1", "a": "x", "empty": "", "p.q/r-s_t": "1", "quote": "'", "quotes": '"'}
# Labels named like words of the language.
WORDS = {
    "in": "y",
    "has": "z",
    "all": "w",
    "global": "v",
    "not": "u",
    "contains": "t",
    "starts": "s",
    "ends": "r",
}
LONGEST = "l" * 512


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        # Nothing selects everything.
        ("", True),
        (" ", True),
        (" \t ", True),
        # all() and global().
        ("all()", True),
        ("all( )", True),
        ("all(\t)", True),
        (" all() ", True),
        ("(all())", True),
        ("!all()", False),
        ("global()", True),
        ("global( \t)", True),
        ("!global()", False),
        # has().
        ("has(a)", True),
        ("has( a )", True),
        ("has(\ta\t)", True),
        ("has(b)", False),
        ("has(empty)", True),
        ("has(p.q/r-s_t)", True),
        ("has(has)", False),
        ("has(A)", False),
        # Equality; a missing label is not equal to anything.
        ("rack == 'rack-1'", True),
        ('rack == "rack-1"', True),
        ("rack=='rack-1'", True),
        ("rack\t==\t'rack-1'", True),
        ("rack == 'rack-2'", False),
        ("rack == 'Rack-1'", False),
        ("rack == ' rack-1'", False),
        ("b == 'x'", False),
        ("b == ''", False),
        ("empty == ''", True),
        ('empty == ""', True),
        ("a == ''", False),
        # Inequality; a missing label is unequal to everything.
        ("rack != 'rack-2'", True),
        ("rack != 'rack-1'", False),
        ("rack!='rack-1'", False),
        ("b != 'x'", True),
        ("b != ''", True),
        ("empty != ''", False),
        # Quotes: either kind, no escapes, anything inside.
        ('quote == "\'"', True),
        ("quotes == '\"'", True),
        ('a == "it\'s"', False),
        ("a == '\\'", False),
        ("a != '&& || ! ( ) { } ,'", True),
        ("a != '\n'", True),
        ("a != 'ä€😀'", True),
        # Parts of a text.
        ("rack contains 'ck-'", True),
        ("rack contains 'rack-1'", True),
        ("rack contains 'rack-11'", False),
        ("rack contains'ck'", True),
        ("rack contains ''", True),
        ("empty contains ''", True),
        ("empty contains 'x'", False),
        ("b contains ''", False),
        ("b contains 'x'", False),
        ("rack starts with 'rack'", True),
        ("rack startswith 'rack'", True),
        ("rack starts \t with 'rack'", True),
        ("rack starts with'rack'", True),
        ("rack starts with 'ack'", False),
        ("rack starts with ''", True),
        ("b starts with ''", False),
        ("b starts with 'x'", False),
        ("rack ends with '-1'", True),
        ("rack endswith '-1'", True),
        ("rack ends\twith '-1'", True),
        ("rack ends with 'rack'", False),
        ("rack ends with ''", True),
        ("b ends with ''", False),
        ("b ends with 'x'", False),
        # Sets.
        ("a in {'x'}", True),
        ("a in{'x'}", True),
        ("a in {'x', 'y'}", True),
        ("a in {'y','x'}", True),
        ("a in { 'x' , \"y\" }", True),
        ("a in {'x','x'}", True),
        ("a in {'x','y',}", True),
        ("a in {'x' , }", True),
        ("a in {'X'}", False),
        ("a in {}", False),
        ("a in { }", False),
        ("b in {}", False),
        ("b in {'x'}", False),
        ("b in {''}", False),
        ("empty in {''}", True),
        ("quote in {\"'\", '\"'}", True),
        ("a not in {'x'}", False),
        ("a not in {'y'}", True),
        ("a notin {'y'}", True),
        ("a notin{'x'}", False),
        ("a not   in {'y'}", True),
        ("a not \t in {'x'}", False),
        ("a not in {}", True),
        ("a not in {'y',}", True),
        ("b not in {}", True),
        ("b not in {'x'}", True),
        ("empty not in {''}", False),
        # Negation binds to the one that follows, and its parity counts.
        ("!has(b)", True),
        ("! has(b)", True),
        ("!\thas(a)", False),
        ("!!has(b)", False),
        ("!!!has(b)", True),
        ("! ! !has(b)", True),
        ("!! !! has(a)", True),
        ("!a == 'x'", False),
        ("!a != 'x'", True),
        ("!b == 'x'", True),
        ("!b != 'x'", False),
        ("!a in {'x'}", False),
        ("!a not in {'x'}", True),
        ("!a contains 'x'", False),
        ("!b starts with 'x'", True),
        ("!(a == 'x')", False),
        ("!(!(has(a)))", True),
        ("!(!has(b))", False),
        ("!has(b) && has(b)", False),
        ("!has(a) || has(a)", True),
        ("!(has(a) && has(b))", True),
        ("!(has(a) || has(b))", False),
        # AND before OR.
        ("has(a) && has(b)", False),
        ("has(a)&&has(rack)", True),
        ("has(a) || has(b)", True),
        ("has(b)||has(b)", False),
        ("has(b) && has(b) || has(a)", True),
        ("has(a) || has(b) && has(b)", True),
        ("has(a) && has(b) || has(b)", False),
        ("(has(a) || has(b)) && has(b)", False),
        ("has(a) && (has(b) || has(rack))", True),
        ("has(a) && has(rack) && has(empty)", True),
        ("has(a) && has(rack) && has(b)", False),
        ("has(b) || has(c) || has(a)", True),
        ("has(b) || has(c) || has(d)", False),
        ("a == 'x' && rack != 'rack-2' && b not in {'z'}", True),
        ("(((has(a))))", True),
        ("( has( a ) )", True),
        ("(has(a))&&(has(rack))", True),
        # Labels of all their characters, and as long as they may be.
        ("p.q/r-s_t == '1'", True),
        ("- != 'x'", True),
        ("./_- != 'x'", True),
        ("0 != 'x'", True),
        (f"{LONGEST} != 'x'", True),
        (f"!has({LONGEST})", True),
    ],
)
def test_what_is_selected(text: str, selected: bool) -> None:
    assert parse(text).matches(LABELS) is selected
    assert parse(parse(text).canonical).matches(LABELS) is selected


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("in in {'y'}", True),
        ("in == 'y'", True),
        ("in not in {'x'}", True),
        ("has == 'z'", True),
        ("all == 'w'", True),
        ("all != 'w'", False),
        ("global == 'v'", True),
        ("not == 'u'", True),
        ("not in {'u'}", True),
        ("not not in {'u'}", False),
        ("notin != 'x'", True),
        ("contains contains 't'", True),
        ("contains == 't'", True),
        ("starts starts with 's'", True),
        ("startswith != 'x'", True),
        ("ends endswith 'r'", True),
        ("has(has)", True),
        ("has(in) && has(all)", True),
        ("has(not) && !has(notin)", True),
        ("hasx != 'y'", True),
        ("hasall == 'x'", False),
        ("ain != 'x'", True),
    ],
)
def test_words_of_the_language_are_operators_after_a_label_only(text: str, selected: bool) -> None:
    assert parse(text).matches(WORDS) is selected
    assert parse(parse(text).canonical).matches(WORDS) is selected


LABEL = "a label, has(…), all() or ("
END = "&& or || or the end"
STRING = "a text in quotes"
SET = "a set in braces"


@pytest.mark.parametrize(
    ("text", "expected", "character"),
    [
        # Symbols by halves.
        ("a = 'x'", "an operator after a", 3),
        ("a ! = 'x'", "an operator after a", 3),
        ("a === 'x'", STRING, 5),
        ("a == == 'x'", STRING, 6),
        ("has(a) & has(b)", END, 8),
        ("has(a) | has(b)", END, 8),
        ("has(a) &&& has(b)", LABEL, 10),
        ("has(a) ||| has(b)", LABEL, 10),
        ("has(a) and has(b)", END, 8),
        ("has(a), has(b)", END, 7),
        ("%", LABEL, 1),
        ("a == 'x' && %", LABEL, 13),
        ("=", LABEL, 1),
        ("== 'x'", LABEL, 1),
        ("!= 'x'", LABEL, 2),
        # Texts.
        ("a == 'x", STRING, 6),
        ('a == "x', STRING, 6),
        ("a == \"x'", STRING, 6),
        ("a == x", STRING, 6),
        ("a == b", STRING, 6),
        ("a == 1", STRING, 6),
        ("a ==", STRING, 5),
        ("a == ", STRING, 6),
        ("a == {'x'}", STRING, 6),
        ("a == 'x' 'y'", END, 10),
        ("a == 'it''s'", END, 10),
        ("a == 'it\\'s'", END, 11),
        ("a contains b", STRING, 12),
        ("a contains", STRING, 11),
        ("a starts with b", STRING, 15),
        ("a ends with b", STRING, 13),
        ("'x' == a", LABEL, 1),
        ("'x' == 'x'", LABEL, 1),
        ("'x'", LABEL, 1),
        ("'x", LABEL, 1),
        # Words.
        ("a starts 'x'", "an operator after a", 3),
        ("a with 'x'", "an operator after a", 3),
        ("a ends withs 'x'", "an operator after a", 3),
        ("a starts withs 'x'", "an operator after a", 3),
        ("a containss 'x'", "an operator after a", 3),
        ("a containsx 'x'", "an operator after a", 3),
        ("a contains_ 'x'", "an operator after a", 3),
        ("a inn {'x'}", "an operator after a", 3),
        ("a in1 {'x'}", "an operator after a", 3),
        ("a not inn {'x'}", "an operator after a", 3),
        ("a not {'x'}", "an operator after a", 3),
        ("a not == 'x'", "an operator after a", 3),
        ("a nor in {'x'}", "an operator after a", 3),
        ("a IN {'x'}", "an operator after a", 3),
        ("a Contains 'x'", "an operator after a", 3),
        ("a no t in {'x'}", "an operator after a", 3),
        # Sets.
        ("a in 'x'", SET, 6),
        ("a in ('x')", SET, 6),
        ("a in", SET, 5),
        ("a not in 'x'", SET, 10),
        ("a in {'x' 'y'}", ", or }", 11),
        ("a in {'x'", ", or }", 10),
        ("a in {'x',", STRING, 11),
        ("a in {", STRING, 7),
        ("a in {,}", STRING, 7),
        ("a in {'x',,}", STRING, 11),
        ("a in {,'x'}", STRING, 7),
        ("a in {x}", STRING, 7),
        ("a in {{'x'}}", STRING, 7),
        ("a in {'x'}}", END, 11),
        ("in {'x'}", "an operator after in", 4),
        # Bare labels and operands without an operator.
        ("a", "an operator after a", 2),
        ("a ", "an operator after a", 3),
        ("a b", "an operator after a", 3),
        ("all", "an operator after all", 4),
        ("a && b", "an operator after a", 3),
        ("has(a) has(b)", END, 8),
        ("has(a) b == 'x'", END, 8),
        ("all() all()", END, 7),
        ("all() == 'x'", END, 7),
        ("(has(a)) (has(b))", END, 10),
        ("(has(a)) == 'x'", END, 10),
        # Operators without an operand.
        ("has(a) &&", LABEL, 10),
        ("has(a) ||", LABEL, 10),
        ("&& has(a)", LABEL, 1),
        ("|| has(a)", LABEL, 1),
        ("has(a) && && has(b)", LABEL, 11),
        ("has(a) || && has(b)", LABEL, 11),
        ("!", LABEL, 2),
        ("!!", LABEL, 3),
        ("has(a) && !", LABEL, 12),
        ("has(a) !", END, 8),
        ("has(a)!", END, 7),
        ("!== 'x'", LABEL, 2),
        # Parentheses.
        ("()", LABEL, 2),
        ("( )", LABEL, 3),
        ("(", LABEL, 2),
        (")", LABEL, 1),
        ("(has(a)", ")", 8),
        ("((has(a))", ")", 10),
        ("has(a))", END, 7),
        ("(has(a) &&)", LABEL, 11),
        ("(a) == 'x'", "an operator after a", 3),
        ("[has(a)]", LABEL, 1),
        # Calls.
        ("has()", "a label and )", 5),
        ("has( )", "a label and )", 6),
        ("has(", "a label and )", 5),
        ("has(a", "a label and )", 5),
        ("has(a b)", "a label and )", 5),
        ("has('a')", "a label and )", 5),
        ("has(!a)", "a label and )", 5),
        ("has(a, b)", "a label and )", 5),
        ("has(ä)", "a label and )", 5),
        ("has (a)", "an operator after has", 5),
        ("has a", "an operator after has", 5),
        ("HAS(a)", "an operator after HAS", 4),
        ("all(", ")", 5),
        ("all( ", ")", 6),
        ("all(a)", ")", 5),
        ("all ()", "an operator after all", 5),
        ("global(", ")", 8),
        ("global(a)", ")", 8),
        ("xall()", "an operator after xall", 5),
        ("any()", "an operator after any", 4),
        # What is no blank, and no label.
        ("has(a)\n&& has(b)", END, 7),
        ("\nhas(a)", LABEL, 1),
        ("has(a)\n", END, 7),
        ("has(a)\r", END, 7),
        ("\n", LABEL, 1),
        ("a\u00a0== 'x'", "an operator after a", 2),
        ("a\x00== 'x'", "an operator after a", 2),
        ("ä == 'x'", LABEL, 1),
        ("a:b == 'x'", "an operator after a", 2),
        ("a@b == 'x'", "an operator after a", 2),
        ("has(a) # comment", END, 8),
    ],
)
def test_what_is_no_selector(text: str, expected: str, character: int) -> None:
    with pytest.raises(SelectorError) as raised:
        parse(text)
    assert str(raised.value) == f"is not a selector: expected {expected} at character {character}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{LONGEST}l == 'x'", "has a label of more than 512 characters"),
        (f"has({LONGEST}l)", "has a label of more than 512 characters"),
        (f"has(a) && {LONGEST}l in {{}}", "has a label of more than 512 characters"),
        (
            "(" * (MAX_NESTED_PARENTHESES + 1) + "all()" + ")" * (MAX_NESTED_PARENTHESES + 1),
            "has more than 50 parentheses inside each other",
        ),
        (" " * (MAX_SELECTOR_CHARACTERS + 1), "is longer than 16384 characters"),
    ],
    ids=lambda value: value[:20],
)
def test_limits(text: str, sentence: str) -> None:
    with pytest.raises(SelectorError) as raised:
        parse(text)
    assert str(raised.value) == sentence


def test_limits_are_what_still_passes() -> None:
    assert parse("(" * MAX_NESTED_PARENTHESES + "all()" + ")" * MAX_NESTED_PARENTHESES).matches({})
    assert parse(" " * MAX_SELECTOR_CHARACTERS).matches({})
    assert parse("!" * (MAX_SELECTOR_CHARACTERS - 6) + "has(a)").matches({"a": ""})
    assert parse("has(a)||" * 2000 + "has(b)").matches({"b": ""})
    assert not parse("has(a)&&" * 2000 + "has(b)").matches({"a": ""})


def test_the_deepest_nesting_leaves_room_on_the_stack() -> None:
    deepest = "has(a) || has(b) && !(" * MAX_NESTED_PARENTHESES + "has(c)" + ")" * MAX_NESTED_PARENTHESES
    selector = parse(deepest)
    assert selector.matches({"a": ""})
    assert selector.matches({"b": "", "c": ""})
    assert not selector.matches({"b": ""})
    assert selector.canonical.count("(") == 2 * MAX_NESTED_PARENTHESES + deepest.count("has(")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", "all()"),
        (" all() ", "all()"),
        (" (all() )", "all()"),
        ("global( )", "global()"),
        ("! (has( b)||! has(a ))", "!(has(b) || !has(a))"),
        ('! (a == "b"&&! c != "d")', '!(a == "b" && !c != "d")'),
        ("a == '\"'", "a == '\"'"),
        ("a == 'b'", 'a == "b"'),
        ("a startswith 'b'", 'a starts with "b"'),
        ("a ends\twith '\"'", "a ends with '\"'"),
        ("a contains 'b'", 'a contains "b"'),
        ("a!='b'", 'a != "b"'),
        ("a in {'d','b' , 'b',}", 'a in {"b", "d"}'),
        ("a notin {}", "a not in {}"),
        ("a in {'\"', \"'\"}", "a in {'\"', \"'\"}"),
        ("has(a) && has(b) || has(c)", "((has(a) && has(b)) || has(c))"),
        ("has(a) && (has(b) && has(c))", "(has(a) && (has(b) && has(c)))"),
        ("((has(a)))", "has(a)"),
        ("!(!(!has(a)))", "!has(a)"),
    ],
)
def test_the_canonical_form(text: str, canonical: str) -> None:
    assert parse(text).canonical == canonical
    assert parse(canonical).canonical == canonical


def test_a_selector_is_the_text_that_was_written() -> None:
    assert str(parse("has( a )")) == "has( a )"
    assert parse("all()") == EVERYTHING
    assert parse("has(a)") != parse("has( a )")
    assert hash(parse("has(a)")) == hash(parse("has(a)"))
    assert repr(parse("has(a)")) == "Selector(text='has(a)')"
