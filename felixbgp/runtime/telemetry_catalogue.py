"""Every metric there is: what docs/telemetry.md, the dashboard and the alerts may speak of."""

from typing import Final, NamedTuple


class Metric(NamedTuple):
    """A metric by OpenTelemetry's name and unit; `kind` is gauge, counter or histogram."""

    name: str
    kind: str
    unit: str
    text: str
    attributes: tuple[str, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """What OpenTelemetry's exporter makes of the name; of a histogram without what it appends."""
        name = self.name.replace(".", "_") + _PROMETHEUS_UNITS.get(self.unit, "")
        return name + ("_total" if self.kind == "counter" else "")


_PROMETHEUS_UNITS: Final = {"s": "_seconds", "By": "_bytes"}

SESSIONS: Final = Metric(
    "felixbgp.bgp.sessions", "gauge", "{session}", "Peers by the state of their sessions", ("state",)
)
SESSION_CHANGES: Final = Metric(
    "felixbgp.bgp.session.changes",
    "counter",
    "{change}",
    "Sessions that became Established (up) or ended (down)",
    ("direction",),
)
NOTIFICATIONS: Final = Metric(
    "felixbgp.bgp.notifications",
    "counter",
    "{notification}",
    "NOTIFICATIONs sent and received, by error code (RFC 4271 §4.5)",
    ("direction", "code"),
)
ROUTES: Final = Metric(
    "felixbgp.routes",
    "gauge",
    "{route}",
    "Routes by family and stage: received and accepted from peers, selected, advertised (summed over peers), "
    "wanted in the kernel, installed there",
    ("family", "stage"),
)
UPDATES: Final = Metric(
    "felixbgp.bgp.updates", "counter", "{update}", "UPDATEs sent and received", ("direction",)
)
VERDICTS: Final = Metric(
    "felixbgp.bgp.update.errors",
    "counter",
    "{error}",
    "Malformed UPDATEs by RFC 7606's word for what was done; of one peer at most 64 a minute",
    ("verdict",),
)
REJECTED: Final = Metric(
    "felixbgp.bgp.routes.rejected",
    "gauge",
    "{route}",
    "Routes that peers announce and that import policy or acceptance keeps out",
    ("family",),
)
QUEUES: Final = Metric(
    "felixbgp.queue.depth",
    "gauge",
    "{item}",
    "What waits: inputs, UPDATEs to decode, prefixes to decide, prefixes to send, kernel writes",
    ("queue",),
)
REVISION: Final = Metric(
    "felixbgp.etcd.revision", "gauge", "{revision}", "The newest revision heard of, and derived", ("stage",)
)
LAG: Final = Metric(
    "felixbgp.etcd.lag",
    "gauge",
    "{revision}",
    "Revisions between the newest one heard of and the one that the intent is derived from",
)
IN_SYNC: Final = Metric("felixbgp.etcd.in_sync", "gauge", "", "1 when all of the store was read once, else 0")
KERNEL_WRITES: Final = Metric(
    "felixbgp.kernel.writes", "counter", "{route}", "Kernel routes written or removed, as the kernel answered"
)
KERNEL_ERRORS: Final = Metric(
    "felixbgp.kernel.errors", "counter", "{error}", "Kernel writes that were refused", ("errno",)
)
KERNEL_PROBLEMS: Final = Metric(
    "felixbgp.kernel.problems", "gauge", "{route}", "Prefixes that are not in the kernel as wanted"
)
CONVERGENCE: Final = Metric(
    "felixbgp.convergence.duration",
    "histogram",
    "s",
    "From etcd's event to the derived intent, the last UPDATE that followed, the kernel's last answer",
    ("stage",),
)
UNTOLD: Final = Metric(
    "felixbgp.changes.untold", "counter", "{change}", "Changes beyond the 600 a minute that become spans"
)
STEP_LONGEST: Final = Metric(
    "felixbgp.step.longest", "gauge", "s", "The longest step of the loop since the start", ("step",)
)
STEP_COUNT: Final = Metric(
    "felixbgp.step.count",
    "counter",
    "{step}",
    "Steps that took no longer than `le` seconds: the parts of drains (take, tell, publish), and others",
    ("step", "le"),
)
STEP_TIME: Final = Metric("felixbgp.step.time", "counter", "s", "Time spent in steps", ("step",))
BUDGET: Final = Metric(
    "felixbgp.drain.budget", "gauge", "{prefix}", "Prefixes of the next half drain", ("half",)
)

METRICS: Final = (
    SESSIONS, SESSION_CHANGES, NOTIFICATIONS, ROUTES, REJECTED, UPDATES, VERDICTS, QUEUES, REVISION, LAG,
    IN_SYNC, KERNEL_WRITES, KERNEL_ERRORS, KERNEL_PROBLEMS, CONVERGENCE, UNTOLD, STEP_LONGEST, STEP_COUNT,
    STEP_TIME, BUDGET,
)  # fmt: skip
CONVERGENCE_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: a change is derived within milliseconds, and done within a minute or told of as longer."""
