"""From BGPConfiguration's logSeverityScreen to the agent's log level."""

from felixbgp.intent.types import DEFAULT_LOG_LEVEL
from felixbgp.resources.bgp_configuration import BgpConfigurationSpec

_LEVELS = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "fatal": "error",
}
"""Calico's words in lower case, and the level each means here."""


def log_level(*configurations: BgpConfigurationSpec) -> str:
    """The level to log from, by the last of these that says one: the node's own comes behind the default."""
    severities = [spec.log_severity_screen for spec in configurations if spec.log_severity_screen]
    return _LEVELS[severities[-1].lower()] if severities else DEFAULT_LOG_LEVEL
