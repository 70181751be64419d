"""Objects as texts for people and programs: YAML and JSON as calicoctl prints them.

What is printed may come from the store, from anybody: no character of it can steer the terminal.
"""

import json
import re


def as_yaml(printed: object) -> str:
    """YAML as calicoctl prints it: fields sorted by name."""
    # Loaded late: 20 ms that the other forms do not need.
    import yaml  # noqa: PLC0415

    def dumped(*, everything: bool) -> str:
        return yaml.safe_dump(printed, allow_unicode=everything, width=2**31 - 1, default_flow_style=False)

    text = dumped(everything=True)
    # A character that could steer the terminal makes all but ASCII be written as escapes.
    return text if all(_is_harmless(character) for character in text) else dumped(everything=False)


def as_json(printed: object) -> str:
    """JSON in the order of the fields, two blanks deep."""
    text = json.dumps(printed, ensure_ascii=False, indent=2)
    # What is not printable can only stand in texts, where an escape means the same.
    return re.sub(r"[^\x20-\x7e\n]", _escaped, text) + "\n"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character == "\n"
