"""Prometheus itself reads the rules, its own configuration and what the dashboard asks."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.deployed import ALERTS, SCRAPING, dashboard_expressions


@pytest.mark.parametrize(("kind", "file"), [("rules", ALERTS), ("config", SCRAPING)], ids=["rules", "config"])
def test_it_reads_what_is_deployed(kind: str, file: Path) -> None:
    done = subprocess.run(["promtool", "check", kind, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_reads_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"a:{number}", "expr": text.replace("$__rate_interval", "5m")}
        for number, text in enumerate(dashboard_expressions())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    test_it_reads_what_is_deployed("rules", file)
