"""Files under `deploy/` that speak of metrics."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/felixbgp-alerts.yml"
SCRAPING = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARD = ROOT / "deploy/grafana/felixbgp.json"


def dashboard_expressions() -> list[str]:
    """What the dashboard asks Prometheus."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]
