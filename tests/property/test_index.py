"""A dictionary in parts against one dictionary, which is divided when it is tiny here."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.net import index as index_module
from felixbgp.net.index import Index

KEYS = [*range(12), *(-(2**62) + number for number in range(4)), *(b"%d" % number for number in range(8))]

operations = st.lists(
    st.tuples(st.sampled_from(["put", "put", "pop"]), st.sampled_from(KEYS), st.integers(0, 3)), max_size=80
)


@pytest.fixture(autouse=True, scope="module")
def tiny_parts() -> Iterator[None]:
    """A module that is compiled takes the new value as well: it is no `Final`."""
    before = index_module.WHOLE_MAX
    index_module.WHOLE_MAX = 2
    yield
    index_module.WHOLE_MAX = before


@given(operations)
def test_an_index_is_what_one_dictionary_would_be(found: list[tuple[str, int | bytes, int]]) -> None:
    index: Index[int | bytes, int] = Index()
    model: dict[int | bytes, int] = {}
    for what, key, value in found:
        if what == "put":
            index.put(key, value)
            model[key] = value
        else:
            assert index.pop(key) == model.pop(key, None)
        assert len(index) == len(model)
        for each in KEYS:
            assert index.get(each) == model.get(each)
