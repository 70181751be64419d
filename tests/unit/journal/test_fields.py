"""In what two values of a key differ."""

import json

import pytest

from felixbgp.cluster.drains import drain_key
from felixbgp.journal.fields import FIELDS_MAX, TEXT_MAX, FieldChange, field_changes

KEY = "/calico/resources/v3/projectcalico.org/bgpfilters/f"


def changes(before: object, after: object) -> list[tuple[str, str | None, str | None]]:
    values = [None if one is None else json.dumps(one).encode() for one in (before, after)]
    return [(change.field, change.before, change.after) for change in field_changes(KEY, *values)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"spec": {"a": 1}}, {"spec": {"a": 1}}, []),
        ({"spec": {"a": 1}}, {"spec": {"a": 2}}, [("spec.a", "1", "2")]),
        ({"spec": {"a": 1}}, {"spec": {"a": True}}, [("spec.a", "1", "true")]),
        ({"spec": {"a": 1}}, {"spec": {}}, [("spec.a", "1", None)]),
        ({"spec": {}}, {"spec": {"a": "x"}}, [("spec.a", None, '"x"')]),
        ({"spec": {"a": [1, 2]}}, {"spec": {"a": [1, 3]}}, [("spec.a[1]", "2", "3")]),
        ({"spec": {"a": [1]}}, {"spec": {"a": []}}, [("spec.a[0]", "1", None)]),
        ({"spec": {"a": [{"b": 1}]}}, {"spec": {"a": [{"b": 2}]}}, [("spec.a[0].b", "1", "2")]),
        ({"spec": {"a": [1]}}, {"spec": {"a": "b"}}, [("spec.a", "[1]", '"b"')]),
        ({"spec": 1}, {"other": 1}, [("spec", "1", None), ("other", None, "1")]),
        (None, {"metadata": {"name": "f"}, "spec": {"a": 1}}, [("spec.a", None, "1")]),
        (None, {"metadata": {"name": "f"}}, []),
        ({"spec": {"a": {"b": [1]}}}, {"spec": {}}, [("spec.a.b[0]", "1", None)]),
        ({"spec": {}}, {"spec": {"a": {}, "b": []}}, [("spec.a", None, "{}"), ("spec.b", None, "[]")]),
    ],
)
def test_fields(before: object, after: object, found: list[tuple[str, str | None, str | None]]) -> None:
    assert changes(before, after) == found


def test_what_is_no_object_is_its_text() -> None:
    found = field_changes(KEY, b"{}", b"no \xff JSON")
    assert found == (FieldChange("", None, '"no � JSON"'),)


def test_nothing_is_said_of_a_secret() -> None:
    assert field_changes("/felixbgp/v1/secrets/bgp/mesh", b"one", b"two") == ()


def test_a_drain_is_told_as_it_is() -> None:
    changed = field_changes(drain_key("n"), b'{"phase":"Announce"}', b'{"phase":"Withdraw"}')
    assert changed == (FieldChange("phase", '"Announce"', '"Withdraw"'),)


def test_what_is_long_is_cut() -> None:
    found = changes({"spec": {}}, {"spec": {str(number): "x" * 1000 for number in range(1000)}})
    assert len(found) == FIELDS_MAX
    assert {len(after or "") for _, _, after in found} == {TEXT_MAX}
