"""The verbs that write, while others write too, and while etcd does not do what it should."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from felixbgp.cli.apply import Application
from felixbgp.cli.create import Creation
from felixbgp.cli.deleting import Deletion
from felixbgp.cli.drafting import Write
from felixbgp.cli.files import Given
from felixbgp.cli.naming import Edit
from felixbgp.cli.replace import Replacement
from felixbgp.cli.report import Report
from felixbgp.cli.store import NoAnswerError, Put
from felixbgp.cli.store import Store as OurStore
from felixbgp.cli.writing import ATTEMPTS_MAX, Plan
from felixbgp.lab.etcd import EtcdServer
from felixbgp.lab.store import Store
from felixbgp.resources import ResourceKey, validate
from felixbgp.resources.editing import patched
from felixbgp.runtime.etcd.client import open_client
from felixbgp.runtime.etcd.settings import EtcdSettings

pytestmark = pytest.mark.etcd

RESOURCES = "/calico/resources/v3/projectcalico.org/"
PEER = f"{RESOURCES}bgppeers/p"
PROGRAM = [sys.executable, "-c", "from felixbgp.cli.main import main; main()"]


def document(kind: str, name: str, spec: object, **metadata: object) -> dict[str, object]:
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }


def peer(asn: int, name: str = "p", **more: object) -> dict[str, object]:
    return document("BGPPeer", name, {"peerIP": "192.0.2.1", "asNumber": asn, **more})


def given(stated: dict[str, object]) -> Given:
    resource = validate(stated)
    assert not isinstance(resource, list), resource
    return Given("f.yaml: document 1 (line 1)", resource, stated)


class CrowdedStore(OurStore):
    """Our store, where others do something right before each of our writes."""

    def __init__(self, *given: Any, others: Callable[[int], object]) -> None:
        super().__init__(*given)
        self.writes = 0
        self._others = others

    async def put_unchanged(self, puts: Sequence[Put], existing: Collection[str] = ()) -> bool:
        return await self._crowded(super().put_unchanged(puts, existing))

    async def delete(self, keys: Collection[str], **conditions: Any) -> bool:
        return await self._crowded(super().delete(keys, **conditions))

    async def _crowded(self, write: Awaitable[bool]) -> bool:
        self.writes += 1
        await trio.to_thread.run_sync(self._others, self.writes)
        return await write


def run(
    server: EtcdServer,
    work: Plan | Deletion,
    others: Callable[[int], object] = lambda _: None,
    kind: type[CrowdedStore] = CrowdedStore,
    patience_seconds: float = 5.0,
) -> Report:
    async def main() -> Report:
        settings = EtcdSettings(endpoints=(server.endpoint,), request_timeout_seconds=patience_seconds)
        async with open_client(settings) as client:
            return await work.run(kind(client, others=others))

    return trio.run(main)


def value(store: Store, key: str = PEER) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(store.get(key) or b"{}")
    return loaded


# Somebody writes between our read and our write.


def change(asn: int) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda stored: patched(stored, {"spec": {"asNumber": asn}})


@pytest.mark.parametrize(
    "write",
    [
        Application(given(peer(2))),
        Replacement(given(peer(2))),
        Edit(ResourceKey("BGPPeer", "p"), change(2)),
    ],
    ids=["apply", "replace", "patch"],
)
def test_what_somebody_wrote_in_between_is_not_lost(
    either_etcd: EtcdServer, empty_store: Store, write: Write
) -> None:
    store = empty_store
    store.put(PEER, json.dumps(peer(1)))

    def others(writes: int) -> None:
        if writes == 1:
            changed = document("BGPPeer", "p", {"asNumber": 7, "theirs": 1}, labels={"theirs": "1"})
            store.put(PEER, json.dumps(changed))

    report = run(either_etcd, Plan([write]), others)
    assert report.done == [write.key]
    assert value(store)["metadata"]["labels"] == {"theirs": "1"}
    assert value(store)["spec"]["theirs"] == 1
    assert value(store)["spec"]["asNumber"] == 2


@pytest.mark.parametrize("verb", [Application, Replacement])
def test_a_resource_version_that_is_overtaken_is_a_conflict(
    either_etcd: EtcdServer, empty_store: Store, verb: type[Application]
) -> None:
    revision = empty_store.put(PEER, json.dumps(peer(1)))
    stated = document("BGPPeer", "p", {"asNumber": 2}, resourceVersion=str(revision))
    theirs = json.dumps(peer(7))
    report = run(either_etcd, Plan([verb(given(stated))]), lambda _: empty_store.put(PEER, theirs))
    assert report.errors == [(ResourceKey("BGPPeer", "p"), "update conflict: BGPPeer(p)")]
    assert value(empty_store) == json.loads(theirs)


def test_whoever_is_always_overtaken_gives_up(either_etcd: EtcdServer, empty_store: Store) -> None:
    empty_store.put(PEER, json.dumps(peer(1)))
    plan = Plan([Application(given(peer(2)))])
    report = run(either_etcd, plan, lambda writes: empty_store.put(PEER, json.dumps(peer(100 + writes))))
    ((_, reason),) = report.errors
    assert reason == f"update conflict: BGPPeer(p): somebody else wrote it {ATTEMPTS_MAX} times meanwhile"
    assert value(empty_store)["spec"]["asNumber"] == 100 + ATTEMPTS_MAX + 1


def test_an_object_that_somebody_creates_in_between_exists_already(
    either_etcd: EtcdServer, empty_store: Store
) -> None:
    theirs = json.dumps(peer(7))
    report = run(either_etcd, Plan([Creation(given(peer(2)))]), lambda _: empty_store.put(PEER, theirs))
    assert report.errors == [(ResourceKey("BGPPeer", "p"), "resource already exists: BGPPeer(p)")]
    assert value(empty_store) == json.loads(theirs)


def test_one_that_is_overtaken_does_not_keep_the_others_of_its_transaction(
    either_etcd: EtcdServer, empty_store: Store
) -> None:
    writes = [Creation(given(peer(number, f"p{number}"))) for number in range(1, 4)]

    def others(writes: int) -> None:
        if writes == 1:
            empty_store.put(f"{PEER}2", json.dumps(peer(7, "p2")))

    report = run(either_etcd, Plan(writes), others)
    assert [key.name for key in report.done] == ["p1", "p3"]
    assert report.errors == [(ResourceKey("BGPPeer", "p2"), "resource already exists: BGPPeer(p2)")]
    assert value(empty_store, f"{PEER}2")["spec"]["asNumber"] == 7


def test_a_filter_that_is_deleted_in_between_is_missed(either_etcd: EtcdServer, empty_store: Store) -> None:
    filter_key = f"{RESOURCES}bgpfilters/f"
    empty_store.put(filter_key, json.dumps(document("BGPFilter", "f", {})))
    plan = Plan([Creation(given(peer(2, filters=["f"])))])
    report = run(either_etcd, plan, lambda _: empty_store.delete([filter_key]))
    ((_, reason),) = report.errors
    assert reason == "f.yaml: document 1 (line 1): BGPPeer(p): spec.filters: BGPFilter(s) not found: f"
    assert empty_store.get(PEER) is None


def test_a_filter_that_somebody_begins_to_use_stays(either_etcd: EtcdServer, empty_store: Store) -> None:
    filter_key = f"{RESOURCES}bgpfilters/f"
    empty_store.put(filter_key, json.dumps(document("BGPFilter", "f", {})))
    run_ = Deletion({ResourceKey("BGPFilter", "f"): None})
    user = json.dumps(peer(2, filters=["f"]))
    report = run(either_etcd, run_, lambda _: empty_store.put(PEER, user))
    assert report.errors == [
        (ResourceKey("BGPFilter", "f"), "BGPFilter(f) is in use by BGPPeer(p)"),
    ]
    assert empty_store.get(filter_key) is not None


def test_users_go_before_what_they_use_and_one_that_stays_keeps_it(
    either_etcd: EtcdServer, empty_store: Store
) -> None:
    filter_key, peer_key = ResourceKey("BGPFilter", "f"), ResourceKey("BGPPeer", "p")
    empty_store.put(str(filter_key), json.dumps(document("BGPFilter", "f", {})))
    empty_store.put(str(peer_key), json.dumps(peer(2, filters=["f"])))
    report = run(either_etcd, Deletion({filter_key: None, peer_key: "1"}))
    assert report.errors == [
        (peer_key, "update conflict: BGPPeer(p)"),
        (filter_key, "BGPFilter(f) is in use by BGPPeer(p)"),
    ]
    assert run(either_etcd, Deletion({filter_key: None, peer_key: None})).done == [peer_key, filter_key]


def test_what_is_given_twice_is_written_twice(either_etcd: EtcdServer, empty_store: Store) -> None:
    report = run(either_etcd, Plan([Application(given(peer(asn))) for asn in (1, 2, 3)]))
    assert len(report.done) == 3
    assert value(empty_store)["spec"]["asNumber"] == 3
    created = run(either_etcd, Plan([Creation(given(peer(asn, "q"))) for asn in (1, 2)]))
    assert len(created.done) == 1
    assert created.errors == [(ResourceKey("BGPPeer", "q"), "resource already exists: BGPPeer(q)")]
    assert value(empty_store, f"{RESOURCES}bgppeers/q")["spec"]["asNumber"] == 1


# The store does not do what it should.


def test_a_write_that_is_never_answered_is_not_known(either_etcd: EtcdServer, empty_store: Store) -> None:
    writes = [Creation(given(peer(number, f"p{number}"))) for number in range(1, 4)]
    try:
        report = run(either_etcd, Plan(writes), lambda _: either_etcd.pause(), patience_seconds=2.0)
    finally:
        either_etcd.resume()
    assert (report.done, report.errors) == ([], [])
    assert [key.name for key in report.unknown] == ["p1", "p2", "p3"]
    assert "does not answer" in report.broken_off or "cannot be reached" in report.broken_off
    assert empty_store.get(PEER) is None


class DeafStore(CrowdedStore):
    """Our store, where the answer to the first write is lost on its way."""

    async def put_unchanged(self, puts: Sequence[Put], existing: Collection[str] = ()) -> bool:
        done = await super().put_unchanged(puts, existing)
        if self.writes == 1:
            raise NoAnswerError("lost")
        return done

    async def delete(self, keys: Collection[str], **conditions: Any) -> bool:
        done = await super().delete(keys, **conditions)
        if self.writes == 1:
            raise NoAnswerError("lost")
        return done


@pytest.mark.parametrize("verb", [Creation, Application])
def test_a_write_whose_answer_is_lost_is_found_and_not_done_again(
    either_etcd: EtcdServer, empty_store: Store, verb: Callable[[Given], Write]
) -> None:
    plan = Plan([verb(given(peer(number, f"p{number}"))) for number in range(1, 4)])
    report = run(either_etcd, plan, kind=DeafStore)
    assert [key.name for key in report.done] == ["p1", "p2", "p3"]
    assert (report.unknown, report.errors) == ([], [])
    assert [empty_store.writes(f"{PEER}{number}") for number in (1, 2, 3)] == [1, 1, 1]


def test_a_deletion_whose_answer_is_lost_is_found(either_etcd: EtcdServer, empty_store: Store) -> None:
    empty_store.put(PEER, json.dumps(peer(1)))
    deletion = Deletion({ResourceKey("BGPPeer", "p"): None, ResourceKey("BGPPeer", "q"): None})
    report = run(either_etcd, deletion, kind=DeafStore)
    assert report.done == [ResourceKey("BGPPeer", "p")]
    assert [key.name for key, _ in report.errors] == ["q"]


def test_one_object_that_etcd_refuses_harms_no_other(tmp_path: Path) -> None:
    huge = document(
        "BGPPeer", "huge", {"peerIP": "192.0.2.1", "asNumber": 1}, annotations={"a": "x" * 30_000}
    )
    plan = Plan([Creation(given(stated)) for stated in (peer(1), huge, peer(2, "q"))])
    with EtcdServer.on_free_ports(tmp_path, extra_flags=["--max-request-bytes=20000"]) as server:
        report = run(server, plan)
        assert [key.name for key in report.done] == ["p", "q"]
        ((key, reason),) = report.errors
        assert (key.name, "request is too large" in reason) == ("huge", True)
        assert set(Store([server.endpoint]).get_prefix("/")) == {PEER, f"{RESOURCES}bgppeers/q"}


# Whatever ends the command, it says what was written.

MANY = 10_000


def many() -> str:
    return "".join(f"---\n{json.dumps(peer(64567, f'p{number}'))}\n" for number in range(MANY))


def broken_off(
    store: Store, file: Path, end: Callable[[subprocess.Popen[str]], None]
) -> tuple[int, str, str]:
    """Create many objects, and do something when some are there; exit code, standard output and error."""
    file.write_text(many())
    command = [*PROGRAM, "create", "-v", "-f", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not store.get(f"{PEER}500"):
            assert process.poll() is None, process.communicate()
        end(process)
        printed, told = process.communicate()
    return process.returncode, printed, told


def names_in(text: str) -> set[str]:
    return set(re.findall(r"BGPPeer\((p[0-9]+)\)", text))


def names_stored(store: Store) -> set[str]:
    return {key.rpartition("/")[2] for key in store.get_prefix(PEER)}


@pytest.mark.timeout(120)
def test_whoever_interrupts_learns_what_was_written(empty_store: Store, tmp_path: Path) -> None:
    code, printed, told = broken_off(
        empty_store, tmp_path / "many.yaml", lambda process: process.send_signal(signal.SIGINT)
    )
    written, stored = names_in(printed), names_stored(empty_store)
    *_, unknown, untried = ("", *told.splitlines())
    assert code == 130
    assert printed.splitlines()[0] == (
        f"Partial success: created {len(written)} out of {MANY} 'BGPPeer' resources:"
    )
    assert 0 < len(stored) < MANY
    assert written <= stored <= written | names_in(unknown)
    assert names_in(untried) == {f"p{number}" for number in range(MANY)} - written - names_in(unknown)


@pytest.mark.timeout(120)
def test_when_etcd_dies_it_is_told_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EtcdServer.on_free_ports(tmp_path / "etcd") as server:
        monkeypatch.setenv("ETCD_ENDPOINTS", server.endpoint)
        store = Store([server.endpoint])
        code, printed, told = broken_off(store, tmp_path / "many.yaml", lambda _: server.kill())
        server.start()
        written, stored = names_in(printed), names_stored(store)
    first, *_, untried = told.splitlines()
    unknown = names_in("".join(line for line in told.splitlines() if "not known whether created" in line))
    assert code == 1
    assert first.startswith("error: Hit error(s): [etcd ")
    assert written <= stored <= written | unknown
    assert untried.startswith("error: not tried: ")
    assert names_in(untried) == {f"p{number}" for number in range(MANY)} - written - unknown
