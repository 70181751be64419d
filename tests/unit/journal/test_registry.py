"""Nothing that an agent is told or asks for is without a form in a journal."""

import dataclasses

from felixbgp.journal.pseudonyms import WITH_SECRETS
from felixbgp.journal.registry import REGISTERED, tag_of
from tests.support.every_type import ROOTS, classes


def test_every_class_of_inputs_and_effects_is_registered_and_no_other() -> None:
    needed = classes(*ROOTS)
    assert {tag_of(kind) for kind in needed} == {tag_of(kind) for kind in REGISTERED}
    assert set(REGISTERED) == set(needed)


def test_no_two_have_one_name() -> None:
    assert len({tag_of(kind) for kind in REGISTERED}) == len(REGISTERED)


def test_whatever_is_left_out_of_a_repr_as_a_secret_has_a_pseudonym() -> None:
    hiding = {
        kind
        for kind in REGISTERED
        if dataclasses.is_dataclass(kind) and not all(field.repr for field in dataclasses.fields(kind))
    }
    own = {kind for kind in REGISTERED if issubclass(kind, tuple) and "__repr__" in kind.__dict__}
    assert hiding <= set(WITH_SECRETS)
    assert set(WITH_SECRETS) - hiding <= own
