"""Which fields of a document our models know."""

import subprocess
import sys


def test_fields_are_spelled_as_calico_does_before_any_value_was_read() -> None:
    """Models are built when their first value is read, and only then had pydantic 2.9 their aliases."""
    program = (
        "from felixbgp.resources.calico_node_status import CalicoNodeStatusSpec\n"
        "from felixbgp.resources.schema import known_fields\n"
        "print(*known_fields(CalicoNodeStatusSpec))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["node", "classes", "updatePeriodSeconds"]
