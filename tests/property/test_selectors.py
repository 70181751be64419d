"""The language as a whole: what is written is read, and means what it says."""

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.resources.selectors import (
    Among,
    Both,
    Compare,
    Either,
    Everything,
    Expression,
    Has,
    Negation,
    Operator,
    parse,
)
from tests.support.selectors import holds

labels = st.sampled_from(["a", "b", "in", "not", "has", "all", "x.y/z-1"])
# No text can have both kinds of quotes.
texts = st.sampled_from(["", "x", "xy", "y", "'", '"', "a == ", " ", "ä"])
leaves = (
    st.builds(Everything, st.sampled_from(["all", "global"]))
    | st.builds(Has, labels)
    | st.builds(Compare, labels, st.sampled_from(Operator), texts)
    | st.builds(Among, labels, st.frozensets(texts, max_size=3), st.booleans())
)


def _grown(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    negated = inner.filter(lambda each: not isinstance(each, Negation))
    return st.builds(Both, several) | st.builds(Either, several) | st.builds(Negation, negated)


expressions: st.SearchStrategy[Expression] = st.recursive(leaves, _grown, max_leaves=10)
objects = st.dictionaries(labels, texts, max_size=5)


@given(expressions)
def test_the_canonical_form_is_read_back_as_the_same(expression: Expression) -> None:
    found = parse(str(expression))
    assert found.expression == expression
    assert found.canonical == str(expression)


@given(expressions, objects)
def test_a_compiled_selector_means_what_it_says(expression: Expression, value: dict[str, str]) -> None:
    assert parse(str(expression)).matches(value) is holds(expression, value)


@given(
    expressions, st.sampled_from([")", "{", "}", ",", "&&", "||", "=="]), st.sampled_from(["", "\t", " \t "])
)
def test_blanks_around_symbols_mean_nothing(expression: Expression, symbol: str, blank: str) -> None:
    parts = str(expression).split('"')
    # Between two double quotes stands a text, unless single ones are about.
    if "'" not in str(expression):
        parts[::2] = [part.replace(symbol, f"{blank}{symbol}{blank}") for part in parts[::2]]
    assert parse('"'.join(parts)).expression == expression
