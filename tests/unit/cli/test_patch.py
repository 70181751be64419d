"""Patches on the command line."""

import click
import pytest

from felixbgp.cli.patch import parsed_patch


@pytest.mark.parametrize(
    ("text", "patch"),
    [
        ('{"spec": {"asNumber": "64513"}}', {"spec": {"asNumber": "64513"}}),
        ("spec: {nodeToNodeMeshEnabled: false}", {"spec": {"nodeToNodeMeshEnabled": False}}),
        ("spec:\n  filters: null", {"spec": {"filters": None}}),
    ],
)
def test_json_and_yaml(text: str, patch: object) -> None:
    assert parsed_patch(text) == patch


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be one object"),
        ("{}\n---\n{}", "must be one object"),
        ("7", "must be an object"),
        ("[]", "must be one object"),
        ("a: [1", "is not YAML"),
        ("a: 1\na: 2", 'has the field "a" twice'),
    ],
)
def test_what_is_no_patch_is_refused(text: str, reason: str) -> None:
    with pytest.raises(click.UsageError, match=reason):
        parsed_patch(text)
