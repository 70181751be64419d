"""`felixbgp agent`."""

import os
from typing import Any

import click
import trio

from felixbgp.cli.options import connection_options, flags_of, setting_option, tls_options
from felixbgp.runtime.settings import (
    DRAINING,
    HEALTH,
    JOURNAL,
    LOG_LEVEL,
    LOG_LEVELS,
    METRIC,
    NO_KERNEL,
    NODE,
    OTLP_ENDPOINT,
    OTLP_PROTOCOL,
    OTLP_PROTOCOLS,
    PROMETHEUS,
    PROTOCOL,
    ROUTER_ID,
    SECRETS,
    SETTINGS,
    STATE,
    STATUS_ADDRESS,
    TABLE,
    TAKE_OVER,
    AgentSettings,
    load,
)
from felixbgp.runtime.settings_file import SettingsError


@click.command()
@setting_option(NODE, "NAME", "This node's name; the host's in lower case unless given.")
@setting_option(ROUTER_ID, "ADDRESS|hash", "BGP identifier; the node's IPv4 address unless given.")
@setting_option(PROTOCOL, "NUMBER", "rtm_protocol that marks our routes in the kernel.")
@setting_option(METRIC, "NUMBER", "Metric of our routes in the kernel.")
@setting_option(TABLE, "NUMBER", "Kernel table of our routes; 254, the main table, unless given.")
@setting_option(
    TAKE_OVER, "PROTOCOL,...", "Make these daemons' kernel routes ours at the start: bird, zebra, a number."
)
@setting_option(NO_KERNEL, "", "Reflect only: write no route into the kernel, and read nothing of it.")
@setting_option(
    DRAINING, "SECONDS", "How long a session that is wanted no more may stay for want of another way; 120."
)
@setting_option(LOG_LEVEL, "|".join(LOG_LEVELS), "How much to log; logSeverityScreen unless given.")
@setting_option(SECRETS, "DIRECTORY", "Passwords of peers, as <secret>/<key>; /etc/felixbgp/secrets.")
@setting_option(STATE, "DIRECTORY|none", "For a start without etcd: what it last held; /var/lib/felixbgp.")
@setting_option(
    JOURNAL, "FILE", "Record everything there, for `felixbgp replay`; passwords under other names."
)
@setting_option(OTLP_ENDPOINT, "URL", "Send traces and metrics to this OpenTelemetry collector.")
@setting_option(OTLP_PROTOCOL, "|".join(OTLP_PROTOCOLS), "What it speaks; http/protobuf unless given.")
@setting_option(PROMETHEUS, "ADDRESS:PORT", "Let Prometheus read metrics there.")
@setting_option(
    HEALTH, "ADDRESS:PORT|none", "For /readiness and /liveness, on this host; 127.0.0.1:9178 unless given."
)
@setting_option(
    STATUS_ADDRESS, "ADDRESS:PORT", "For `felixbgp explain` and others who have a certificate; else nowhere."
)
@tls_options
@connection_options
def agent(**given: Any) -> None:
    """Run the agent of this node until it is told to stop (SIGTERM, SIGINT).

    A flag wins over the environment, the environment over /etc/felixbgp/agent.toml:

    \b
      node = "node-1"
      [etcd]
      endpoints = ["https://10.0.0.5:2379"]

    \b
    Examples:
      felixbgp agent --node node-1 --etcd-endpoints http://10.0.0.5:2379
      NODENAME=node-1 ETCD_ENDPOINTS=https://10.0.0.5:2379 felixbgp agent
    """  # noqa: D301 - \b tells click not to wrap
    run(load_settings(given))


def load_settings(given: dict[str, Any]) -> AgentSettings:
    """The settings of the agent; a wrong one ends the command."""
    try:
        return load(flags_of(SETTINGS, given), os.environ, given.get("config"))
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def run(settings: AgentSettings) -> None:
    """Run the agent with these settings."""
    # Loaded late: the help of this verb needs neither sockets nor telemetry.
    from felixbgp.runtime.netlink.takeover import DaemonStillRunsError  # noqa: PLC0415
    from felixbgp.runtime.run import run_agent  # noqa: PLC0415
    from felixbgp.runtime.telemetry import LOGGER  # noqa: PLC0415

    try:
        trio.run(run_agent, settings)
    except (DaemonStillRunsError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    except Exception:
        # Nobody will see this fault again by setting a variable and waiting: the log must say where.
        LOGGER.exception("felixbgp ends by a fault of its own; kernel routes stay")
        raise
