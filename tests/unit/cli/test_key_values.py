"""Labels and annotations on the command line."""

import click
import pytest

from felixbgp.cli.key_values import parse_changes


@pytest.mark.parametrize(
    ("words", "remove", "changes"),
    [
        (["a=1"], False, {"a": "1"}),
        (["a=1=2", "b="], False, {"a": "1=2", "b": ""}),
        (["a-"], False, {"a": None}),
        (["a-b=c-"], False, {"a-b": "c-"}),
        (["a"], True, {"a": None}),
        (["a-"], True, {"a-": None}),
    ],
)
def test_what_is_set_and_what_is_taken_away(
    words: list[str], remove: bool, changes: dict[str, str | None]
) -> None:
    assert parse_changes(words, remove=remove) == changes


@pytest.mark.parametrize(
    ("words", "remove", "reason"),
    [
        (["a"], False, "'a' is not KEY=VALUE"),
        (["=1"], False, "'=1' has no key"),
        (["-"], False, "'-' has no key"),
        (["a=1", "a=2"], False, "the key 'a' is given twice"),
        (["a=1", "a-"], False, "the key 'a' is given twice"),
        (["a=1"], True, "--remove takes keys alone"),
    ],
)
def test_what_means_nothing_is_refused(words: list[str], remove: bool, reason: str) -> None:
    with pytest.raises(click.UsageError, match=reason):
        parse_changes(words, remove=remove)
