"""A text of YAML as the values that JSON would have given, with the lines that messages need.

The scalars are those of JSON (YAML 1.2 core: null, true, false, numbers; everything else is text), so `no` is
a name, `12:30` is no number, and a time stays the text it was.

The text is read event by event and never composed: libyaml follows any depth on the stack of the process, and
ends with that.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

MAX_TEXT_CHARACTERS = 64 * 1024 * 1024
"""Ten thousand objects of six kilobytes each; a larger file is a mistake."""

MAX_VALUES = 4_000_000
"""Scalars, lists and objects of one document, aliases written out: stops a text that unfolds without end."""

MAX_DEPTH = 64
"""Objects and lists inside each other."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, ten times as fast as Python's, wherever PyYAML was built with it."""


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document: its number and its line from 1, and its value, or what is wrong with it.

    `item_lines` are the lines of the entries of the list that it is, or that its `items` are.
    """

    number: int
    line: int
    value: object = None
    error: str = ""
    item_lines: tuple[int, ...] = ()


class _RefusedError(ValueError):
    """The text is YAML, but not one we read."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


class _TooDeepError(_RefusedError):
    """The same, and reading on to the end of the document could take for ever."""

    def __init__(self, line: int) -> None:
        super().__init__(line, f"has more than {MAX_DEPTH} objects and lists inside each other")


def read_yaml(text: str) -> Iterator[YamlDocument]:
    """Every document of a text, in order; one that stops the reading is the last, and says why."""
    if len(text) > MAX_TEXT_CHARACTERS:
        yield YamlDocument(1, 1, error=f"is longer than {MAX_TEXT_CHARACTERS} characters")
        return
    number, inside = 0, False
    try:
        events = iter(yaml.parse(text, Loader=_LOADER))
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                number, inside = number + 1, True
                yield _document(number, events)
                inside = False
    except yaml.YAMLError as error:
        yield _unreadable(number if inside else number + 1, error, text)
    except _TooDeepError as error:
        yield YamlDocument(number, error.line, error=str(error))


def _document(number: int, events: Iterator[yaml.Event]) -> YamlDocument:
    """The document that has begun, read to its end. Raises `yaml.YAMLError` and `_TooDeepError`."""
    reader = _Reader(events)
    root = next(events)
    try:
        value = reader.value(root, ())
    except _TooDeepError:
        raise
    except _RefusedError as error:
        while not isinstance(next(events), yaml.DocumentEndEvent):
            pass
        return YamlDocument(number, error.line, error=str(error))
    next(events)
    return YamlDocument(number, _line(root), value, item_lines=tuple(reader.item_lines))


def _line(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else int(event.start_mark.line) + 1


def _unreadable(number: int, error: yaml.YAMLError, text: str) -> YamlDocument:
    mark = getattr(error, "problem_mark", None)
    # What is missing at the end is missing in the last line; libyaml means the one behind it.
    last_line = text.count("\n") + (not text.endswith("\n"))
    line = 1 if mark is None else min(mark.line + 1, last_line)
    problem = getattr(error, "problem", None) or "it has a character that YAML does not allow"
    if "<document start>" in problem:
        problem = "it is a second document, and no line --- is before it"
    return YamlDocument(number, line, error=f"is not YAML: {problem}")


_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_UNFINISHED = object()
"""Stands for the value of an anchor while that is being read."""


class _Reader:
    """Makes values of the events of one document; raises `_RefusedError`."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self.item_lines: list[int] = []
        self._events = events
        self._count = 0
        self._anchors: dict[str, object] = {}

    def value(self, event: yaml.Event, path: tuple[str, ...]) -> object:
        """What begins with `event`; `path` holds the names of the fields it is in, "" for a list."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, len(path))
        self._enter(event, len(path))
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is not None:
            self._anchors[anchor] = _UNFINISHED
        if isinstance(event, yaml.ScalarEvent):
            found = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self._list(path)
        else:
            found = self._object(path)
        if anchor is not None:
            self._anchors[anchor] = found
        return found

    def _enter(self, event: yaml.Event, depth: int) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _RefusedError(_line(event), f"unfolds to more than {MAX_VALUES} values")
        if depth >= MAX_DEPTH:
            raise _TooDeepError(_line(event))

    def _list(self, path: tuple[str, ...]) -> object:
        found: list[object] = []
        inside = (*path, "")
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            if path in ((), ("items",)):
                self.item_lines.append(_line(event))
            found.append(self.value(event, inside))
        return found

    def _object(self, path: tuple[str, ...]) -> object:
        found: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _RefusedError(_line(event), "has a field whose name is no text")
            name = str(event.value)
            if name in found:
                raise _RefusedError(_line(event), f'has the field "{name[:80]}" twice')
            if event.anchor is not None:
                self._anchors[event.anchor] = name
            found[name] = self.value(next(self._events), (*path, name))
        return found

    def _alias(self, event: yaml.AliasEvent, depth: int) -> object:
        name = event.anchor or ""
        if name not in self._anchors:
            raise _RefusedError(_line(event), f"is not YAML: found undefined alias '{name[:80]}'")
        found = self._anchors[name]
        self._unfold(found, event, depth)
        return found

    def _unfold(self, value: object, event: yaml.Event, depth: int) -> None:
        """Count the values of an anchor as if they stood where the alias is."""
        if value is _UNFINISHED:
            raise _TooDeepError(_line(event))
        self._enter(event, depth)
        inner: Iterable[object] = ()
        if isinstance(value, dict):
            inner = value.values()
        elif isinstance(value, list):
            inner = value
        for each in inner:
            self._unfold(each, event, depth + 1)


def _scalar(event: yaml.ScalarEvent) -> object:
    text = str(event.value)
    if event.style or event.tag in _TEXT_TAGS:
        return text
    if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
