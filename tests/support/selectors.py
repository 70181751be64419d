"""What a parsed selector means, written down as plainly as can be, to hold the compiled one against."""

from typing import assert_never

from felixbgp.resources.selectors import (
    Among,
    Both,
    Compare,
    Either,
    Everything,
    Expression,
    Has,
    Labels,
    Negation,
    Operator,
)


def holds(expression: Expression, labels: Labels) -> bool:
    match expression:
        case Everything():
            return True
        case Has(label):
            return label in labels
        case Compare(label, operator, text):
            return _compares(labels.get(label), operator, text)
        case Among(label, values, negated):
            among = label in labels and labels[label] in values
            return among != negated
        case Negation(operand):
            return not holds(operand, labels)
        case Both(operands):
            return all(holds(operand, labels) for operand in operands)
        case Either(operands):
            return any(holds(operand, labels) for operand in operands)
        case _:
            raise AssertionError(expression)


def _compares(value: str | None, operator: Operator, text: str) -> bool:
    if operator is Operator.NOT_EQUAL:
        return value is None or value != text
    if value is None:
        return False
    match operator:
        case Operator.EQUAL:
            return value == text
        case Operator.CONTAINS:
            return text in value
        case Operator.STARTS_WITH:
            return value.startswith(text)
        case Operator.ENDS_WITH:
            return value.endswith(text)
        case _:
            assert_never(operator)


def mentioned(expression: Expression) -> dict[str, set[str]]:
    """The texts that each label of an expression is compared with."""
    match expression:
        case Has(label):
            return {label: set()}
        case Compare(label, _, text):
            return {label: {text}}
        case Among(label, values):
            return {label: set(values)}
        case Negation(operand):
            return mentioned(operand)
        case Both(operands) | Either(operands):
            found: dict[str, set[str]] = {}
            for operand in operands:
                for label, texts in mentioned(operand).items():
                    found.setdefault(label, set()).update(texts)
            return found
        case _:
            return {}
