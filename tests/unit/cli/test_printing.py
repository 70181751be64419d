"""YAML and JSON as they are printed."""

import yaml

from felixbgp.cli.printing import as_json, as_yaml


def test_text_of_others_cannot_steer_the_terminal() -> None:
    evil = {"a": "\x1b[2J\x9b\u202eé日\n", "é": 1}
    for text in (as_json(evil), as_yaml(evil)):
        assert all(character.isprintable() or character == "\n" for character in text)
        assert yaml.safe_load(text) == evil
    assert "é日" in as_json(evil)
    assert as_yaml({"é": "日"}) == "é: 日\n"


def test_a_long_text_is_not_broken() -> None:
    selector = " || ".join(f"has(label-{number})" for number in range(100))
    assert as_yaml({"nodeSelector": selector}).count("\n") == 1
