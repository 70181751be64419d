"""Calico's selector language: `rack == 'rack-1' && !has(route-reflector)`.

Grammar, precedence and the truth of missing labels follow Calico's tokenizer and parser
(libcalico-go/lib/selector), with their later rule that a word operator ends at a word boundary.
A blank is a space or a tab. A text of blanks only selects everything.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

MAX_SELECTOR_CHARACTERS = 16_384
"""Longer than any selector written by hand or by a program we know; keeps parsing in the microseconds."""

MAX_NESTED_PARENTHESES = 50
"""The parser recurses once per parenthesis; Python's own limit is not ours to reach."""

Labels = Mapping[str, str]
Matcher = Callable[[Labels], bool]
"""Whether an object with these labels is selected."""


class SelectorError(ValueError):
    """A text that is no selector; the message says where and why."""


class Expression(ABC):
    """One node of a parsed selector. `str()` is its canonical form, which Calico's parser and ours read back.

    There AND and OR stand in parentheses, texts in double quotes unless they have one, sets in order.
    """

    __slots__ = ()

    @abstractmethod
    def compiled(self) -> Matcher:
        """The meaning as closures: thousands of nodes times hundreds of selectors are asked at once."""


@dataclass(frozen=True, slots=True)
class Everything(Expression):
    """`all()` and the empty selector; and `global()`, which means more only for namespaces in policies."""

    word: str = "all"

    def compiled(self) -> Matcher:
        """Always true."""
        return lambda _: True

    def __str__(self) -> str:
        return f"{self.word}()"


@dataclass(frozen=True, slots=True)
class Has(Expression):
    """`has(label)`."""

    label: str

    def compiled(self) -> Matcher:
        """Whether the label is there, whatever its value."""
        label = self.label
        return lambda labels: label in labels

    def __str__(self) -> str:
        return f"has({self.label})"


class Operator(Enum):
    """How the value of a label compares with a text."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"


@dataclass(frozen=True, slots=True)
class Compare(Expression):
    """`label == "x"` and the like."""

    label: str
    operator: Operator
    text: str

    def compiled(self) -> Matcher:
        """Whether the value compares; a missing label does by `!=` only."""
        label, text = self.label, self.text
        match self.operator:
            case Operator.EQUAL:
                return lambda labels: labels.get(label) == text
            case Operator.NOT_EQUAL:
                return lambda labels: labels.get(label) != text
            case _ if not text:
                # Every value has nothing in it, at its start and at its end.
                return Has(label).compiled()
            case Operator.CONTAINS:
                return lambda labels: text in labels.get(label, "")
            case Operator.STARTS_WITH:
                return lambda labels: labels.get(label, "").startswith(text)
            case Operator.ENDS_WITH:
                return lambda labels: labels.get(label, "").endswith(text)

    def __str__(self) -> str:
        return f"{self.label} {self.operator.value} {_quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class Among(Expression):
    """`label in {…}`, or `label not in {…}`."""

    label: str
    values: frozenset[str]
    negated: bool = False

    def compiled(self) -> Matcher:
        """Whether the value is one of the set, or is not; a missing label is in none."""
        label, values = self.label, self.values
        if self.negated:
            return lambda labels: labels.get(label) not in values
        return lambda labels: labels.get(label) in values

    def __str__(self) -> str:
        values = ", ".join(_quoted(value) for value in sorted(self.values))
        return f"{self.label} {'not in' if self.negated else 'in'} {{{values}}}"


@dataclass(frozen=True, slots=True)
class Negation(Expression):
    """`!x`, where x is no negation."""

    operand: Expression

    def compiled(self) -> Matcher:
        """The opposite."""
        if isinstance(self.operand, Has):
            label = self.operand.label
            return lambda labels: label not in labels
        matches = self.operand.compiled()
        return lambda labels: not matches(labels)

    def __str__(self) -> str:
        return f"!{self.operand}"


@dataclass(frozen=True, slots=True)
class Both(Expression):
    """`x && y && …`, at least two."""

    operands: tuple[Expression, ...]

    def compiled(self) -> Matcher:
        """Whether every operand matches."""
        first, second, *others = (operand.compiled() for operand in self.operands)
        if not others:
            return lambda labels: first(labels) and second(labels)
        every = (first, second, *others)

        def matches(labels: Labels) -> bool:
            for operand in every:  # noqa: SIM110 - all() with a generator takes twice as long
                if not operand(labels):
                    return False
            return True

        return matches

    def __str__(self) -> str:
        return f"({' && '.join(map(str, self.operands))})"


@dataclass(frozen=True, slots=True)
class Either(Expression):
    """`x || y || …`, at least two."""

    operands: tuple[Expression, ...]

    def compiled(self) -> Matcher:
        """Whether any operand matches."""
        first, second, *others = (operand.compiled() for operand in self.operands)
        if not others:
            return lambda labels: first(labels) or second(labels)
        every = (first, second, *others)

        def matches(labels: Labels) -> bool:
            for operand in every:  # noqa: SIM110 - any() with a generator takes twice as long
                if operand(labels):
                    return True
            return False

        return matches

    def __str__(self) -> str:
        return f"({' || '.join(map(str, self.operands))})"


def _quoted(text: str) -> str:
    """There are no escapes; a text that was read has one kind of quotes at most."""
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{quote}"


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector as it was written, and its meaning. Two are equal when their texts are."""

    text: str
    expression: Expression = field(compare=False, repr=False)
    matches: Matcher = field(init=False, compare=False, repr=False)
    """Whether an object with these labels is selected."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "matches", self.expression.compiled())

    @property
    def canonical(self) -> str:
        """A text with the same meaning, the same for all selectors that differ in spelling only."""
        return str(self.expression)

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
_OPENED = re.compile(r"(?:all|global|has)\(")
_OPERATOR = re.compile(
    r"==|!=|contains\b|starts[ \t]*with\b|ends[ \t]*with\b|in\b|not[ \t]*in\b",
)
_OPERATORS = {operator.value.replace(" ", ""): operator for operator in Operator}
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
        if not negated:
            return primary
        return primary.operand if isinstance(primary, Negation) else Negation(primary)

    def _primary(self) -> Expression:
        if self._took("("):
            return self._parenthesised()
        call = self._take(_CALL)
        if call is not None:
            return Everything(call[1]) if call[1] else Has(_checked_label(call[2]))
        opened = self._take(_OPENED)
        if opened is not None:
            raise self._error("a label and )" if opened[0] == "has(" else ")")
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
        word = found[0].replace(" ", "").replace("\t", "")
        if word in ("in", "notin"):
            return Among(label, self._set(), negated=word == "notin")
        return Compare(label, _OPERATORS[word], self._string())

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
