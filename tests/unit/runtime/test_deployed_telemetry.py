"""The dashboard and the alerts speak of metrics that there are, in words that Prometheus understands."""

import re

import pytest
import trio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from felixbgp.bgp.inputs import Endpoint
from felixbgp.runtime.driver import Driver
from felixbgp.runtime.settings import TelemetrySettings
from felixbgp.runtime.telemetry_catalogue import METRICS
from felixbgp.runtime.telemetry_export import Exporting
from tests.support.deployed import ALERTS, dashboard_expressions
from tests.unit.runtime.test_telemetry_export import LOOPBACK, a_change, an_agent, asked

NAME = re.compile(r"\bfelixbgp_\w+")
LABEL = re.compile(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)|\bby \(([\w, ]+)\)|{{ ?(\w+) ?}}")
FROM_PROMETHEUS = {"instance", "job", "le"}


def exposed() -> set[str]:
    names = {metric.prometheus_name for metric in METRICS}
    return names | {f"{one.prometheus_name}_bucket" for one in METRICS if one.kind == "histogram"}


def alert_expressions() -> list[str]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


@pytest.mark.trio
async def test_the_names_are_those_that_prometheus_reads() -> None:
    exporting = Exporting(TelemetrySettings(prometheus=Endpoint(LOOPBACK, 0)), "node-1")
    async with exporting.running(Driver(exporting.watch(an_agent()))):
        a_change(exporting)
        exporting.changes.finish(0)
        await trio.lowlevel.checkpoint()
        page = await asked(exporting.server.port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    text = page.partition(b"\r\n\r\n")[2].decode()
    found = {family.name for family in text_string_to_metric_families(text)}
    told = {name for name in found if name.startswith("felixbgp_")}
    names = {metric.prometheus_name.removesuffix("_total") for metric in METRICS}
    assert told <= names
    assert names - told <= {"felixbgp_bgp_notifications", "felixbgp_bgp_update_errors"}


@pytest.mark.parametrize("expression", alert_expressions() + dashboard_expressions())
def test_an_expression_is_of_metrics_and_labels_that_there_are(expression: str) -> None:
    names = set(NAME.findall(expression))
    assert names <= exposed()
    bases = {name.removesuffix("_bucket") for name in names}
    labels = {label for one in METRICS if one.prometheus_name in bases for label in one.attributes}
    used = {
        word for found in LABEL.findall(expression) for part in found for word in re.findall(r"\w+", part)
    }
    assert used <= labels | FROM_PROMETHEUS


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name.removesuffix("_bucket") for text in dashboard_expressions() for name in NAME.findall(text)}
    assert shown == {metric.prometheus_name for metric in METRICS}


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
