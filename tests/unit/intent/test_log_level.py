"""What logSeverityScreen means for the agent's log."""

import pytest

from tests.unit.intent.test_derive import Cluster


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("Trace", "debug"),
        ("Debug", "debug"),
        ("Info", "info"),
        ("Warning", "warning"),
        ("Error", "error"),
        ("Fatal", "error"),
        ("wArNiNg", "warning"),
        ("", "info"),
    ],
)
def test_each_word_has_its_level(severity: str, level: str) -> None:
    assert Cluster().defaults(logSeverityScreen=severity).derive().log_level == level


def test_the_nodes_own_comes_before_the_clusters() -> None:
    cluster = Cluster().node("master", "10.0.0.1").defaults(logSeverityScreen="Debug")
    assert cluster.derive().log_level == "debug"
    cluster.put("BGPConfiguration", "node.other", {"logSeverityScreen": "Error"})
    assert cluster.derive().log_level == "debug"
    cluster.put("BGPConfiguration", "node.master", {"logSeverityScreen": "Error"})
    assert cluster.derive().log_level == "error"
    cluster.put("BGPConfiguration", "node.master", {})
    assert cluster.derive().log_level == "debug"
