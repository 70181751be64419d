"""No secret goes out: real passwords and keys, in use, are looked for in everything that is given away."""

import base64
import http.client
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from felixbgp.lab import calico, checks, processes
from felixbgp.lab.lab import NODE_ENDPOINT, Lab, felixbgp_command
from felixbgp.lab.plan import LabPlan, Node
from felixbgp.lab.processes import Running
from felixbgp.lab.store import Store, parse_endpoint
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name
from tests.lab.test_passwords import set_password
from tests.support.authority import CertificateAuthority
from tests.support.collector import Collector, grpc_collector
from tests.support.secret_files import deploy_secret

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(600)]

SECONDS_MAX = 120.0
STATUS_PORT, PROMETHEUS_PORT, HEALTH_PORT = 9179, 9180, 9178
SECRET = "bgp-secrets"
STORED = "/felixbgp/v1/secrets/"
PASSWORDS = {
    "of the router, in a file": "router+pass/word=1",
    "of the router, the next": "router+pass/word=2",
    "of the mesh, in etcd": 'mesh "quoted" p\N{LATIN SMALL LETTER A WITH DIAERESIS}ss/word?',
    "too long to be used": "much/too+long " * 8,
    "of an agent in etcd": 'etcd "quoted" p\N{LATIN SMALL LETTER A WITH DIAERESIS}ss/word\\1',
    "that etcd does not know": "wrong+pass/word 'of' an agent",
    "of the operator in etcd": "operator+pass/word=4",
    "for the collector": "bearer/of+traces",
}
LINE = 40
"""Of a key in PEM lines from this length on are looked for one by one."""


def forms(secret: bytes) -> Iterator[bytes]:
    """How a secret may be written, by itself or within something longer."""
    yield secret
    for offset in range(3):
        octets = bytes(offset) + secret
        # What depends on its neighbours is left out.
        whole = slice((0, 2, 3)[offset], (len(octets) // 3) * 4)
        yield base64.b64encode(octets)[whole]
        yield base64.urlsafe_b64encode(octets)[whole]
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    text = secret.decode(errors="backslashreplace")
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    yield json.dumps(json.dumps(text))[3:-3].encode()
    yield repr(secret)[2:-1].encode()
    yield repr(text)[1:-1].encode()


def secrets_of_key(path: Path) -> Iterator[bytes]:
    """The lines of a key in PEM, and what they encode."""
    lines = [line for line in path.read_bytes().splitlines() if not line.startswith(b"-----")]
    yield from (line for line in lines if len(line) >= LINE)
    yield base64.b64decode(b"".join(lines))


def leaks(given_away: Mapping[str, bytes], secrets: Mapping[str, list[bytes]]) -> list[str]:
    """Which secret is where."""
    wanted = [
        (name, form) for name, each in secrets.items() for secret in each for form in set(forms(secret))
    ]
    return sorted(
        {
            f"the password or key {name} is in {where}"
            for where, octets in given_away.items()
            for name, form in wanted
            if form in octets
        }
    )


@pytest.mark.parametrize("name", PASSWORDS)
def test_the_search_finds_a_secret_in_every_form(name: str) -> None:
    secret = PASSWORDS[name].encode()
    for form in forms(secret):
        assert leaks({"a log": b"before " + form + b" behind"}, {name: [secret]}), form
    for neighbours in (b"", b"a", b"ab"):
        encoded = base64.b64encode(neighbours + secret + neighbours)
        assert leaks({"a log": encoded}, {name: [secret]}), encoded
    assert not leaks({"a log": secret[1:]}, {name: [secret]})


class OperatorsStore(Store):
    """The lab's own hands on etcd, with the operator's password."""

    def __init__(self, endpoint: str) -> None:
        super().__init__([endpoint])
        self._where = parse_endpoint(endpoint)
        credentials = {"name": "root", "password": PASSWORDS["of the operator in etcd"]}
        self._token = self._post("auth/authenticate", credentials, {})["token"]

    def _call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        return self._post(method, request, {"Authorization": self._token})

    def _post(self, method: str, request: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        with closing(http.client.HTTPConnection(*self._where, timeout=5)) as connection:
            connection.request("POST", f"/v3/{method}", json.dumps(request), headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
        assert answer.status == http.client.OK, told
        return dict(told)


@dataclass
class Guarded:
    """A cluster in which everything is protected that can be."""

    lab: Lab
    store: Store
    authority: CertificateAuthority
    collector: Collector
    running: list[Running] = field(default_factory=list)
    secrets: dict[str, list[bytes]] = field(default_factory=dict)

    def settings(self, node: Node) -> dict[str, str]:
        certificate, key = self.authority.issue(node.name)
        self.secrets[f"of TLS of {node.name}"] = [*secrets_of_key(key)]
        known = node.name != self.lab.plan.nodes[-1].name
        return {
            "NODENAME": node.name,
            "ETCD_ENDPOINTS": NODE_ENDPOINT,
            "ETCD_USERNAME": "agent",
            "ETCD_PASSWORD": PASSWORDS["of an agent in etcd" if known else "that etcd does not know"],
            "FELIXBGP_LOG_LEVEL": "debug",
            "FELIXBGP_SECRETS_DIR": str(self.lab.secrets),
            "FELIXBGP_STATE_DIRECTORY": str(self.lab.state_directory(node.name)),
            "FELIXBGP_JOURNAL": str(self.lab.folder / f"{node.name}.journal"),
            "FELIXBGP_PROMETHEUS": f"127.0.0.1:{PROMETHEUS_PORT}",
            "FELIXBGP_STATUS_ADDRESS": f"{node.ipv4}:{STATUS_PORT}",
            "FELIXBGP_STATUS_CERT_FILE": str(certificate),
            "FELIXBGP_STATUS_KEY_FILE": str(key),
            "FELIXBGP_STATUS_CA_CERT_FILE": str(self.authority.certificate),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_HEADERS": f"token={quote(PASSWORDS['for the collector'])}",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }

    def start(self) -> None:
        for node in self.lab.plan.nodes:
            log = str(self.lab.folder / f"{node.name}.log")
            command = (*felixbgp_command(), "agent")
            settings = tuple(self.settings(node).items())
            self.running.append(
                processes.spawn(processes.Command(node.name, command, log, node.namespace, settings))
            )

    def run(self, *command: str) -> bytes:
        """What a command prints on node-1 that is set up as the agent there is."""
        node = self.lab.plan.nodes[0]
        words = self.lab.exec_arguments(node.name, command)
        done = subprocess.run(
            words, env=dict(os.environ) | self.settings(node), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def told(self, *arguments: str) -> bytes:
        return self.run(*felixbgp_command(), *arguments)

    def asked(self, path: str) -> bytes:
        """What node-1 answers, to who has a certificate."""
        node = self.lab.plan.nodes[0]
        settings = self.settings(node)
        key, certificate = settings["FELIXBGP_STATUS_KEY_FILE"], settings["FELIXBGP_STATUS_CERT_FILE"]
        url = f"https://{node.name}:{STATUS_PORT}{path}"
        return self.run(
            "curl", "--silent", "--show-error", "--cacert", str(self.authority.certificate),
            "--cert", certificate, "--key", key, "--resolve", f"{node.name}:{STATUS_PORT}:{node.ipv4}", url,
        )  # fmt: skip


def protect(lab: Lab) -> None:
    """Users and passwords in etcd: the operator may everything, an agent what it needs."""
    rights = ("/calico/", "/felixbgp/v1/")
    operator, agent = PASSWORDS["of the operator in etcd"], PASSWORDS["of an agent in etcd"]
    commands = [
        ("user", "add", f"root:{operator}"),
        ("user", "grant-role", "root", "root"),
        ("user", "add", f"agent:{agent}"),
        ("role", "add", "agent"),
        *(("role", "grant-permission", "agent", "--prefix=true", "readwrite", prefix) for prefix in rights),
        ("user", "grant-role", "agent", "agent"),
        ("auth", "enable"),
    ]
    for command in commands:
        subprocess.run(
            ["etcdctl", *command], env=dict(os.environ) | lab.environment(), check=True, capture_output=True
        )


@contextmanager
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    """Two nodes and a router with passwords between all, and a third node that etcd does not let in."""
    plan = LabPlan(name=fresh_name(), node_count=3)
    with grpc_collector(f"unix:{tmp_path}/otlp.sock") as collector, a_lab(plan, agents=False) as lab:
        authority = CertificateAuthority(tmp_path)
        reference = {"secretKeyRef": {"name": SECRET, "key": "router"}}
        lab.put_peer("tor", {"peerIP": plan.tors[0].ipv4, "asNumber": 64567, "password": reference})
        mesh = {"secretKeyRef": {"name": SECRET, "key": "mesh"}}
        lab.store.put_all(
            calico.configuration_resource("default", {"nodeMeshPassword": mesh, "logSeverityScreen": "Debug"})
        )
        lab.store.put(f"{STORED}{SECRET}/mesh", PASSWORDS["of the mesh, in etcd"])
        lab.store.put(f"{STORED}{SECRET}/long", PASSWORDS["too long to be used"])
        long = {"secretKeyRef": {"name": SECRET, "key": "long"}}
        lab.put_peer("nobody", {"peerIP": "172.30.0.99", "asNumber": 65000, "password": long})
        use(lab, "of the router, in a file")
        protect(lab)
        cluster = Guarded(lab, OperatorsStore(lab.endpoints[0]), authority, collector)
        try:
            cluster.start()
            yield cluster
        finally:
            processes.stop_all(cluster.running)


def use(lab: Lab, password: str) -> None:
    """The router and the nodes have another password from now on."""
    set_password(lab, PASSWORDS[password])
    deploy_secret(lab.secrets, SECRET, "router", PASSWORDS[password].encode() + b"\n")


def established_since(cluster: Guarded) -> dict[tuple[str, str], str]:
    """The sessions that there are to be: of two nodes with each other and with the router."""
    first, second, _ = cluster.lab.plan.nodes
    router = cluster.lab.plan.tors[0].ipv4
    wanted = {first.name: frozenset({second.ipv4, router}), second.name: frozenset({first.ipv4, router})}
    missing = checks.missing_sessions(cluster.store, wanted)
    return {} if missing else checks.session_times(cluster.store, wanted)


def live(cluster: Guarded) -> None:
    """Everything is used once: sessions, a password that changes, one of no use, one that is refused."""
    wait_until(lambda: bool(established_since(cluster)), "sessions with passwords", SECONDS_MAX)
    before = established_since(cluster)
    use(cluster.lab, "of the router, the next")

    router = cluster.lab.plan.tors[0].ipv4

    def is_new() -> bool:
        now = established_since(cluster)
        return bool(now) and all(now[one] != since for one, since in before.items() if one[1] == router)

    wait_until(is_new, "sessions with the router's next password", SECONDS_MAX)
    wait_until(
        lambda: any("80 octets" in each["reason"] for each in checks.problems(cluster.store, "node-1")),
        "the password that is too long is told of",
        SECONDS_MAX,
    )
    wait_until(
        lambda: "authentication failed" in cluster.lab.log("node-3"), "who is not let in says so", SECONDS_MAX
    )
    wait_until(lambda: bool(cluster.collector.spans and cluster.collector.metrics), "traces", SECONDS_MAX)


def given_away(cluster: Guarded, folder: Path) -> dict[str, bytes]:
    """All that can be had of the cluster by whoever does not read the secrets themselves."""
    journal = str(cluster.lab.folder / "node-1.journal")
    block = cluster.lab.plan.nodes[0].block_v4
    found = {
        "what node status shows": cluster.told("node", "status", "node-1", "-o", "yaml"),
        "what get shows": cluster.told("get", "bgppeers", "-o", "yaml")
        + cluster.told("get", "bgpconfig", "-o", "json"),
        "what topology draws": cluster.told("topology", "-o", "svg"),
        "what history tells": cluster.told("history", journal, "--all", "-o", "json"),
        "what replay tells": cluster.told("replay", journal, "--at", "1s", "-o", "yaml"),
        "the status endpoint": cluster.asked("/status") + cluster.asked(f"/explain?prefix={block}"),
        "the health endpoint": cluster.run(
            "curl", "--silent", f"http://127.0.0.1:{HEALTH_PORT}/readiness?format=json"
        ),
        "the metrics": cluster.run("curl", "--silent", f"http://127.0.0.1:{PROMETHEUS_PORT}/metrics"),
    }
    archive = cluster.told("diags", "--output-dir", str(folder)).decode()
    (path,) = folder.iterdir()
    with tarfile.open(path) as archived:
        files = {entry.name.partition("/")[2]: archived.extractfile(entry) for entry in archived}
        found |= {f"{name} of diags": file.read() for name, file in files.items() if file is not None}
    whole = {
        "readiness.json": b'"ready": true',
        "metrics.txt": b"felixbgp_bgp_sessions{",
        "status.txt": b"Established",
        "explanations.jsonl": b'"explanation": {',
        "history.txt": b"Established",
        "recording/journal": b"felixbgp journal ",
        "etcd/member.json": b'"revision": ',
    }
    assert [name for name, part in whole.items() if part not in found[f"{name} of diags"]] == [], archive
    manifest = json.loads(found["manifest.json of diags"])
    assert manifest["removed"]["knownSecrets"] >= 5
    found["what diags prints"] = archive.encode()
    return found


def kept(cluster: Guarded) -> dict[str, bytes]:
    """What stays after the agents: logs, documents, journals, all but the passwords in etcd and on disk."""
    stored = cluster.store.get_prefix("/").items()
    found = {f"etcd's {key}": value for key, value in stored if not key.startswith(STORED)}
    for node in cluster.lab.plan.nodes:
        found[f"the log of {node.name}"] = cluster.lab.log(node.name).encode()
        directory = cluster.lab.state_directory(node.name)
        # The file `store` is what the agent starts from without etcd, for itself alone (docs/adr/0029).
        files = [path for path in directory.glob("*") if path.name != "store"]
        files += cluster.lab.folder.glob(f"{node.name}.journal*")
        found |= {f"{path.name} of {node.name}": path.read_bytes() for path in files if path.is_file()}
    return found


def test_no_secret_is_in_anything_that_is_given_away(tmp_path: Path) -> None:
    with guarded(tmp_path) as cluster:
        live(cluster)
        found = given_away(cluster, tmp_path / "out")
        processes.stop_all(cluster.running)
        found |= kept(cluster)
        found["traces and metrics"] = bytes(cluster.collector.octets)
        secrets = cluster.secrets | {name: [text.encode()] for name, text in PASSWORDS.items()}
        assert " DEBUG " in found["the log of node-1"].decode()
        assert cluster.collector.metrics
        assert leaks(found, secrets) == []
