"""What tests of the running process leave as they found it."""

from collections.abc import Iterator

import pytest

from felixbgp.runtime.telemetry import LOGGER


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """The logger's own, given back: an agent that starts sets its own, and telemetry changes their form."""
    before = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    yield
    LOGGER.handlers[:], LOGGER.level, LOGGER.propagate = before
