"""A router that wants a TCP MD5 password, and where its peers find one."""

import subprocess
from collections.abc import Iterator

import pytest

from felixbgp.lab import bird, calico, checks
from felixbgp.lab.lab import Lab
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name, is_up_anew
from tests.support.secret_files import deploy_secret, mount_secret

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

TOR_AS = 64567
SECRET, KEY = "bgp-secrets", "tor"
STORED = f"/felixbgp/v1/secrets/{SECRET}/{KEY}"
PASSWORDS = ("correct horse", "battery staple", "from etcd", "kept in etcd")
OBJECT, FIELD = "BGPPeer tor", "spec.password.secretKeyRef"


@pytest.fixture
def guarded() -> Iterator[Lab]:
    """A node and a router, whose session wants a password that nobody has yet."""
    with a_lab(LabPlan(name=fresh_name(), node_count=1)) as lab:
        set_password(lab, PASSWORDS[0])
        reference = {"secretKeyRef": {"name": SECRET, "key": KEY}}
        lab.put_peer("tor", {"peerIP": lab.plan.tors[0].ipv4, "asNumber": TOR_AS, "password": reference})
        yield lab


def set_password(lab: Lab, password: str) -> None:
    """Let the router want this password, as its operator does."""
    tor = lab.plan.tors[0]
    plain = bird.configuration(tor)
    config = lab.folder / f"{tor.name}.conf"
    config.write_text(plain.replace("  passive;\n", f'  passive;\n  password "{password}";\n'))
    done = subprocess.run(
        ["birdc", "-s", str(lab.control(tor)), "configure"], capture_output=True, text=True, check=True
    )
    assert "Reconfigur" in done.stdout, done.stdout


def established(lab: Lab) -> None:
    wanted = {"node-1": frozenset({lab.plan.tors[0].ipv4})}
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the session with the router", 90)


def is_missed(lab: Lab, *reasons: str) -> None:
    """The status says what is missing, and nothing else."""

    def is_told() -> bool:
        problems = checks.problems(lab.store, "node-1")
        told = [(each["subject"], each["field"]) for each in problems] == [(OBJECT, FIELD)]
        return told and all(reason in problems[0]["reason"] for reason in reasons)

    wait_until(is_told, "the status names the secret", 60, describe=lambda: str(problems_of(lab)))


def held_down(lab: Lab, *reasons: str) -> None:
    """There is no session, or soon none any more, and the status says why."""
    is_missed(lab, *reasons)

    def is_down() -> bool:
        entry = checks.peer(lab.store, "node-1", lab.plan.tors[0].ipv4)
        return (entry.get("state"), entry.get("cause")) == ("Idle", "FilterOrSecretMissing")

    wait_until(is_down, "no session stands, and the status says why", 60)
    is_missed(lab, *reasons)


def problems_of(lab: Lab) -> list[dict[str, str]]:
    return checks.problems(lab.store, "node-1")


def since(lab: Lab) -> object:
    """Since when the session stands; a new one has another time."""
    return checks.peer(lab.store, "node-1", lab.plan.tors[0].ipv4).get("since")


def test_a_password_from_a_file_and_from_etcd_changed_while_the_agent_runs(guarded: Lab) -> None:
    lab, file = guarded, guarded.secrets / SECRET / KEY
    held_down(lab, f'secret "{SECRET}", key "{KEY}"', str(file), STORED, "stays down")

    deploy_secret(lab.secrets, SECRET, KEY, PASSWORDS[0].encode() + b"\n")
    established(lab)
    assert problems_of(lab) == []
    first = since(lab)

    deploy_secret(lab.secrets, SECRET, KEY, PASSWORDS[1].encode())
    wait_until(lambda: not is_up(lab), "the old password is of no use", 60)
    set_password(lab, PASSWORDS[1])
    established(lab)
    assert since(lab) != first

    second = since(lab)
    file.unlink()
    is_missed(lab, str(file), STORED)
    assert since(lab) == second
    lab.store.put(STORED, PASSWORDS[2])
    set_password(lab, PASSWORDS[2])
    wait_until(
        lambda: is_up_anew(lab, "node-1", lab.plan.tors[0].ipv4, second),
        "a session with the next password",
        90,
    )
    lab.store.put(STORED, "x" * 81)
    held_down(lab, STORED, "longer than the 80 octets")
    lab.store.put(STORED, PASSWORDS[3])
    set_password(lab, PASSWORDS[3])
    established(lab)

    written = lab.log("node-1") + str(checks.status(lab.store, "node-1"))
    assert [password for password in PASSWORDS if password in written] == []


def is_up(lab: Lab) -> bool:
    return checks.peer(lab.store, "node-1", lab.plan.tors[0].ipv4).get("state") == "Established"


def test_a_secret_mounted_by_kubernetes_and_an_agent_that_restarts(guarded: Lab) -> None:
    lab = guarded
    mount_secret(lab.secrets, SECRET, KEY, PASSWORDS[0].encode())
    established(lab)
    first = since(lab)
    lab.store.put_all(calico.configuration_resource("default", {"logSeverityScreen": "Debug"}))
    mount_secret(lab.secrets, SECRET, KEY, PASSWORDS[1].encode())
    set_password(lab, PASSWORDS[1])
    wait_until(
        lambda: is_up_anew(lab, "node-1", lab.plan.tors[0].ipv4, first),
        "a session with the other password",
        90,
    )
    assert " DEBUG SessionStateChanged" in lab.log("node-1")

    second = since(lab)
    lab.kill("node-1")
    length = len(lab.log("node-1"))
    lab.start("node-1")
    wait_until(lambda: "ClusterInSync" in lab.log("node-1")[length:], "the agent has read everything", 60)
    wait_until(
        lambda: is_up_anew(lab, "node-1", lab.plan.tors[0].ipv4, second), "the session of its second life", 90
    )
    assert "IntentProblem" not in lab.log("node-1")[length:]
