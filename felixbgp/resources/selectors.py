"""Calico's selector language: `rack == 'rack-1' && !has(route-reflector)`.

Grammar, precedence and the truth of missing labels follow Calico's tokenizer and parser
(libcalico-go/lib/selector), with their later rule that a word operator ends at a word boundary.
A blank is a space or a tab. A text of blanks only selects everything.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_SELECTOR_CHARACTERS = 16_384
"""Longer than any selector written by hand or by a program we know; keeps parsing in the microseconds."""

MAX_NESTED_PARENTHESES = 100
"""The parser recurses once per parenthesis; Python's own limit is not ours to reach."""

Labels = Mapping[str, str]


class SelectorError(ValueError):
    """A text that is no selector; the message says where and why."""


class Expression(ABC):
    """One node of a parsed selector."""

    __slots__ = ()

    @abstractmethod
    def matches(self, labels: Labels) -> bool:
        """Whether an object with these labels is selected."""


@dataclass(frozen=True, slots=True)
class Everything(Expression):
    """`all()`, `global()` and the empty selector."""

    def matches(self, labels: Labels) -> bool:  # noqa: ARG002 - that it does not look is the point
        """Always true; `global()` has another meaning only for namespaces in policies."""
        return True


@dataclass(frozen=True, slots=True)
class Has(Expression):
    """`has(label)`."""

    label: str

    def matches(self, labels: Labels) -> bool:
        """Whether the label is there, whatever its value."""
        return self.label in labels


@dataclass(frozen=True, slots=True)
class Compare(Expression):
    """`label == "x"` and the three operators on parts of a text; a missing label never matches."""

    label: str
    operator: str
    text: str

    def matches(self, labels: Labels) -> bool:
        """Whether the label is there and its value compares."""
        value = labels.get(self.label)
        if value is None:
            return False
        match self.operator:
            case "==":
                return value == self.text
            case "contains":
                return self.text in value
            case "starts with":
                return value.startswith(self.text)
            case _:
                return value.endswith(self.text)


@dataclass(frozen=True, slots=True)
class Among(Expression):
    """`label in {…}`; a missing label never matches."""

    label: str
    values: frozenset[str]

    def matches(self, labels: Labels) -> bool:
        """Whether the label's value is one of the set."""
        return labels.get(self.label) in self.values


@dataclass(frozen=True, slots=True)
class Negation(Expression):
    """`!x`; also `!=` and `not in`, which is why these two are true for a missing label."""

    operand: Expression

    def matches(self, labels: Labels) -> bool:
        """The opposite."""
        return not self.operand.matches(labels)


@dataclass(frozen=True, slots=True)
class Both(Expression):
    """`x && y && …`."""

    operands: tuple[Expression, ...]

    def matches(self, labels: Labels) -> bool:
        """Whether every operand matches."""
        return all(operand.matches(labels) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Either(Expression):
    """`x || y || …`."""

    operands: tuple[Expression, ...]

    def matches(self, labels: Labels) -> bool:
        """Whether any operand matches."""
        return any(operand.matches(labels) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector as it was written, and its meaning. Two are equal when their texts are."""

    text: str
    expression: Expression = field(compare=False, repr=False)

    def matches(self, labels: Labels) -> bool:
        """Whether an object with these labels is selected."""
        return self.expression.matches(labels)

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Selector:
    """Read a selector; raises `SelectorError`."""
    if len(text) > MAX_SELECTOR_CHARACTERS:
        raise SelectorError(f"is longer than {MAX_SELECTOR_CHARACTERS} characters")
    return Selector(text, _Parser(text).selector())


EVERYTHING = Selector("all()", Everything())

_BLANKS = re.compile(r"[ \t]*")
_LABEL = re.compile(r"[a-zA-Z0-9_./-]+")
_CALL = re.compile(r"(all|global)\([ \t]*\)|has\([ \t]*([a-zA-Z0-9_./-]+)[ \t]*\)")
_OPERATOR = re.compile(
    r"==|!=|contains\b|starts[ \t]*with\b|ends[ \t]*with\b|in\b|not[ \t]*in\b",
)
_STRING = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_MAX_LABEL_CHARACTERS = 512


class _Parser:
    """Recursive descent over the text; every method leaves `position` behind what it read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0

    def selector(self) -> Expression:
        self._skip_blanks()
        if self._position == len(self._text):
            return Everything()
        expression = self._either()
        if self._position != len(self._text):
            raise self._error("&& or || or the end")
        return expression

    def _either(self) -> Expression:
        operands = [self._both()]
        while self._took("||"):
            operands.append(self._both())
        return operands[0] if len(operands) == 1 else Either(tuple(operands))

    def _both(self) -> Expression:
        operands = [self._operation()]
        while self._took("&&"):
            operands.append(self._operation())
        return operands[0] if len(operands) == 1 else Both(tuple(operands))

    def _operation(self) -> Expression:
        negated = False
        while self._took("!"):
            negated = not negated
        primary = self._primary()
        return Negation(primary) if negated else primary

    def _primary(self) -> Expression:
        if self._took("("):
            return self._parenthesised()
        call = self._take(_CALL)
        if call is not None:
            return Everything() if call[1] else Has(_checked_label(call[2]))
        label = self._take(_LABEL)
        if label is None:
            raise self._error("a label, has(…), all() or (")
        return self._comparison(_checked_label(label[0]))

    def _parenthesised(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_NESTED_PARENTHESES:
            raise SelectorError(f"has more than {MAX_NESTED_PARENTHESES} parentheses inside each other")
        expression = self._either()
        if not self._took(")"):
            raise self._error(")")
        self._depth -= 1
        return expression

    def _comparison(self, label: str) -> Expression:
        found = self._take(_OPERATOR)
        if found is None:
            raise self._error(f"an operator after {label}")
        match found[0].replace(" ", "").replace("\t", ""):
            case "==":
                return Compare(label, "==", self._string())
            case "!=":
                return Negation(Compare(label, "==", self._string()))
            case "contains":
                return Compare(label, "contains", self._string())
            case "startswith":
                return Compare(label, "starts with", self._string())
            case "endswith":
                return Compare(label, "ends with", self._string())
            case "in":
                return Among(label, self._set())
            case _:
                return Negation(Among(label, self._set()))

    def _string(self) -> str:
        found = self._take(_STRING)
        if found is None:
            raise self._error("a text in quotes")
        return found[1] if found[1] is not None else found[2]

    def _set(self) -> frozenset[str]:
        if not self._took("{"):
            raise self._error("a set in braces")
        values: set[str] = set()
        while not self._took("}"):
            values.add(self._string())
            if not self._took(","):
                if not self._took("}"):
                    raise self._error(", or }")
                break
        return frozenset(values)

    def _took(self, symbol: str) -> bool:
        if not self._text.startswith(symbol, self._position):
            return False
        self._position += len(symbol)
        self._skip_blanks()
        return True

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._position)
        if found is not None:
            self._position = found.end()
            self._skip_blanks()
        return found

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self._text, self._position)
        if blanks is not None:
            self._position = blanks.end()

    def _error(self, expected: str) -> SelectorError:
        return SelectorError(f"is not a selector: expected {expected} at character {self._position + 1}")


def _checked_label(label: str) -> str:
    if len(label) > _MAX_LABEL_CHARACTERS:
        raise SelectorError(f"has a label of more than {_MAX_LABEL_CHARACTERS} characters")
    return label
