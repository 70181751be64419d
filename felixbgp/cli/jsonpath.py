r"""kubectl's jsonpath templates: `{range .items[*]}{.metadata.name}{"\n"}{end}`.

Text stands for itself; in braces stands an expression, a text in quotes, or `range EXPRESSION` … `end`. An
expression is JSONPath as kubectl has it (https://kubernetes.io/docs/reference/kubectl/jsonpath/): it begins
with a dot at the present object, `$` is the whole, and a backslash takes a dot into a name. The expressions
themselves are the business of `python-jsonpath`; here they are only put into its spelling.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import jsonpath
from jsonpath import CompoundJSONPath, JSONPath

TEMPLATE_CHARACTERS_MAX = 65_536
"""More than any template a person writes; stops a wrong file."""
RANGES_MAX = 16
"""Ranges inside each other: as deep as an object of ours goes."""


class TemplateError(ValueError):
    """The template cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Text:
    """Stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression finds, with a blank between two of them."""

    source: str


@dataclass(frozen=True, slots=True)
class Range:
    """The parts, once for each object that the expression finds."""

    source: str
    parts: "tuple[Part, ...]"


Part = Text | Expression | Range


def parse(template: str) -> tuple[Part, ...]:
    """The parts of a template. Raises `TemplateError`, also for expressions that are wrong."""
    if len(template) > TEMPLATE_CHARACTERS_MAX:
        raise TemplateError(f"is longer than {TEMPLATE_CHARACTERS_MAX} characters")
    if "{" not in template:
        raise TemplateError(
            f"has no expression; expressions stand in braces: {{{template[:40] or '.items'}}}"
        )
    tokens = iter(_tokens(template))
    return _parts(tokens, depth=0)


def render(parts: Sequence[Part], whole: object) -> str:
    """The template's text for one object or list."""
    return _rendered(parts, whole, whole)


def _rendered(parts: Sequence[Part], whole: object, present: object) -> str:
    texts: list[str] = []
    for part in parts:
        match part:
            case Text():
                texts.append(part.text)
            case Expression():
                texts.append(" ".join(_printed(value) for value in _find(part.source, whole, present)))
            case Range():
                found = _find(part.source, whole, present)
                texts += [_rendered(part.parts, whole, value) for value in found]
    return "".join(texts)


def _printed(value: object) -> str:
    """Texts as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _tokens(template: str) -> Iterator[tuple[str, str]]:
    """Texts and the contents of braces, in order: `("text", …)` and `("braces", …)`."""
    at = 0
    while at < len(template):
        start = template.find("{", at)
        if start < 0:
            yield "text", template[at:]
            return
        if start > at:
            yield "text", template[at:start]
        end = _closing(template, start)
        yield "braces", template[start + 1 : end].strip()
        at = end + 1


def _closing(template: str, start: int) -> int:
    """Where the brace at `start` is closed; braces in quotes do not count."""
    quote = ""
    at = start + 1
    while at < len(template):
        character = template[at]
        if quote and character == "\\":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "}":
            return at
        at += 1
    raise TemplateError(f"has a brace that is not closed: {template[start : start + 40]}")


def _parts(tokens: Iterator[tuple[str, str]], depth: int) -> tuple[Part, ...]:
    """The parts up to the `end` of the present range, or up to the end of the template at depth 0."""
    if depth > RANGES_MAX:
        raise TemplateError(f"has more than {RANGES_MAX} ranges inside each other")
    parts: list[Part] = []
    for kind, content in tokens:
        if kind == "text":
            parts.append(Text(content))
        elif content == "end":
            if depth == 0:
                raise TemplateError("has an {end} without a {range}")
            return tuple(parts)
        elif re.match(r"range\b", content):
            source = _checked(content.removeprefix("range").strip())
            parts.append(Range(source, _parts(tokens, depth + 1)))
        elif content[:1] in ('"', "'"):
            parts.append(Text(_unquoted(content)))
        else:
            parts.append(Expression(_checked(content)))
    if depth:
        raise TemplateError("has a {range} without an {end}")
    return tuple(parts)


_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_SELF = (".", "@", "$")
_ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def _unquoted(content: str) -> str:
    """A text in quotes with Go's escapes."""
    if not re.fullmatch(_QUOTED, content, re.DOTALL):
        raise TemplateError(f"has more than a text in braces: {{{content[:40]}}}")

    def meant(found: re.Match[str]) -> str:
        escape = found[1]
        return chr(int(escape[1:], 16)) if len(escape) > 1 else _ESCAPES.get(escape, escape)

    return _ESCAPED.sub(meant, content[1:-1])


def _checked(source: str) -> str:
    """The expression, if it is one."""
    if source[:1] not in (".", "$", "@", "["):
        raise TemplateError(
            f"has no expression in {{{source[:40]}}}; one begins with a dot: {{.metadata.name}}"
        )
    _compiled(source)
    return source


def _find(source: str, whole: object, present: object) -> list[object]:
    """What an expression finds. One that begins with `$` looks at the whole."""
    value = whole if source.startswith("$") else present
    if source in _SELF:
        return [value]
    if not isinstance(value, dict | list):
        # There is nothing in a text or a number; the library would read a text as JSON.
        return []
    try:
        return _compiled(source).findall(value)
    except jsonpath.JSONPathError as error:
        raise _refused(source, error) from error


@cache
def _compiled(source: str) -> JSONPath | CompoundJSONPath:

    try:
        return jsonpath.compile(_spelled(source))
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise _refused(source, error) from error


def _refused(source: str, error: Exception) -> TemplateError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return TemplateError(f"has an expression that cannot be read, {source[:80]}: {reason}")


# Quotes are looked for first, so that what stands in them is left alone but for kubectl's backslashes.
_SPELLING = re.compile(
    rf"(?P<quoted>{_QUOTED})"
    r"""|(?P<number>\d+\.\d+)"""
    r"""|(?P<dots>\.\.?)(?P<name>(?:\\.|[^\s.\[\](){}=<>!&|,*@$'"\\])+)"""
)


def _spelled(source: str) -> str:
    r"""The spelling of RFC 9535 for kubectl's: `$['a.b-c']` for `.a\.b-c`."""
    if source in _SELF:
        return "$"
    path = _SPELLING.sub(_respelled, source)
    return path if path.startswith("$") else f"${path.removeprefix('@')}"


def _respelled(found: re.Match[str]) -> str:
    if found["quoted"] is not None:
        return found["quoted"].replace("\\.", ".").replace("\\/", "/")
    if found["number"] is not None:
        return found["number"]
    name = re.sub(r"\\(.)", r"\1", found["name"])
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"{'..' if found['dots'] == '..' else ''}['{escaped}']"
