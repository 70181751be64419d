"""Every message of the verbs that write, and the code that each leaves with."""

import json
import os
import pty
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from felixbgp.lab.store import Store
from tests.integration.cli.test_cli_etcd import run
from tests.integration.cli.test_write_conflicts import PROGRAM, RESOURCES, document, peer

pytestmark = pytest.mark.etcd

HELP = "Try 'felixbgp {} --help' for help."
KINDS = "BGPConfiguration, BGPFilter, BGPPeer, CalicoNodeStatus, IPPool, Node, WorkloadEndpoint"
MISSING = "resource does not exist: {} with error: <nil>"
WORKLOAD = "node--1-k8s-web-eth0"
WRONG = "wrong.yaml: document 1 (line 1): BGPPeer(wrong)"

FILES: dict[str, object] = {
    "tor": peer(64567, "tor"),
    "new": peer(64567, "new"),
    "newer": peer(64568, "newer"),
    "old": peer(1, "tor", localASNumber=7) | {"metadata": {"name": "tor", "resourceVersion": "1"}},
    "versioned": peer(1, "fresh") | {"metadata": {"name": "fresh", "resourceVersion": "1"}},
    "node": document("Node", "m", {"bgp": {"ipv4Address": "10.0.0.2/24"}}),
    "workload": document(
        "WorkloadEndpoint",
        WORKLOAD,
        {"node": "node-1", "orchestrator": "k8s", "pod": "web", "endpoint": "eth0", "containerID": "c"},
    ),
    "list": {"apiVersion": "v1", "kind": "List", "items": [peer(1, "l1"), document("Node", "l2", {})]},
    "peers": {"kind": "BGPPeerList", "items": [peer(1, "l1"), peer(1, "l2")]},
    "array": [peer(1, "l1"), peer(1, "l2")],
    "wrong": peer(0, "wrong", colour="red"),
    "nothing": None,
    "filter": document("BGPFilter", "f", {}),
    "user": peer(1, "user", filters=["f"]),
}


@pytest.fixture
def store(empty_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two BGPPeers, one of which uses the BGPFilter, and a Node; and a folder of files."""
    stored = [FILES["tor"], FILES["user"], FILES["filter"]]
    stored.append(document("Node", "n", {"bgp": {"ipv4Address": "10.0.0.1/24"}}, labels={"rack": "1"}))
    plurals = {"BGPPeer": "bgppeers", "BGPFilter": "bgpfilters", "Node": "nodes"}
    empty_store.put_all(
        {
            f"{RESOURCES}{plurals[each['kind']]}/{each['metadata']['name']}": json.dumps(each)
            for each in stored
            if isinstance(each, dict)
        }
    )
    for name, content in FILES.items():
        (tmp_path / f"{name}.yaml").write_text("" if content is None else json.dumps(content))
    (tmp_path / "bad.yaml").write_text("a: b: c\n")
    (tmp_path / "text.yaml").write_text("hello\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "new.json").write_text(json.dumps(FILES["new"]))
    (tmp_path / "folder" / "inner").mkdir()
    (tmp_path / "folder" / "inner" / "newer.yml").write_text(json.dumps(FILES["newer"]))
    monkeypatch.chdir(tmp_path)
    return empty_store


CREATE = [
    ("-f new.yaml", 0, "Successfully created 1 'BGPPeer' resource(s)"),
    ("-f new.yaml -f newer.yaml", 0, "Successfully created 2 'BGPPeer' resource(s)"),
    ("-f new.yaml -f node.yaml", 0, "Successfully created 2 resource(s)"),
    ("-f list.yaml", 0, "Successfully created 2 resource(s)"),
    ("-f peers.yaml", 0, "Successfully created 2 'BGPPeer' resource(s)"),
    ("-f array.yaml", 0, "Successfully created 2 'BGPPeer' resource(s)"),
    ("-f folder", 0, "Successfully created 1 'BGPPeer' resource(s)"),
    ("-f folder -R -v", 0, "Successfully created 2 'BGPPeer' resource(s)\n  BGPPeer(newer)\n  BGPPeer(new)"),
    ("-f workload.yaml -n shop", 0, "Successfully created 1 'WorkloadEndpoint' resource(s)"),
    ("-f tor.yaml", 1, "error: Failed to create 'BGPPeer' resource: [resource already exists: BGPPeer(tor)]"),
    (
        "-f tor.yaml -f user.yaml",
        1,
        (
            "error: Failed to create any 'BGPPeer' resources: "
            "[resource already exists: BGPPeer(tor), resource already exists: BGPPeer(user)]"
        ),
    ),
    (
        "-f tor.yaml -f filter.yaml",
        1,
        (
            "error: Failed to create any resources: "
            "[resource already exists: BGPPeer(tor), resource already exists: BGPFilter(f)]"
        ),
    ),
    (
        "-f tor.yaml -f new.yaml",
        1,
        (
            "Partial success: created 1 out of 2 'BGPPeer' resources:\n  BGPPeer(new)\n"
            "error: Hit error(s): [resource already exists: BGPPeer(tor)]"
        ),
    ),
    (
        "-f tor.yaml -f node.yaml",
        1,
        (
            "Partial success: created 1 out of 2 resources:\n  Node(m)\n"
            "error: Hit error(s): [resource already exists: BGPPeer(tor)]"
        ),
    ),
    (
        "-f tor.yaml -f new.yaml --skip-exists",
        0,
        "Successfully created 2 'BGPPeer' resource(s) (1 of them existed already)",
    ),
    (
        "-f versioned.yaml",
        1,
        (
            "error: Failed to create 'BGPPeer' resource: "
            "[BGPPeer(fresh): resourceVersion must not be set when an object is created]"
        ),
    ),
    ("-f nothing.yaml", 1, "error: No resources specified in file nothing.yaml"),
    ("-f nothing.yaml --skip-empty", 0, "No resources specified"),
    ("-f nothing.yaml -f new.yaml --skip-empty", 0, "Successfully created 1 'BGPPeer' resource(s)"),
    ("-f none.yaml", 1, "error: none.yaml: No such file or directory"),
    (
        "-f wrong.yaml -f text.yaml",
        1,
        (
            f"error: {WRONG}: spec.asNumber: 0 is not between 1 and 4294967295\n"
            f"error: {WRONG}: spec.colour: is not a field this resource has\n"
            "error: text.yaml: document 1 (line 1): is not an object"
        ),
    ),
    (
        "-f new.yaml -n shop",
        1,
        "error: new.yaml: document 1 (line 1): BGPPeer(new): BGPPeer is not namespaced",
    ),
    ("", 2, f"error: Missing option '-f' / '--filename'.\n{HELP.format('create')}"),
    ("new.yaml -f new.yaml", 2, f"error: Got unexpected extra argument (new.yaml)\n{HELP.format('create')}"),
    ("-f - -f -", 2, f"error: standard input can be read once\n{HELP.format('create')}"),
]

APPLY = [
    ("-f tor.yaml", 0, "Successfully applied 1 'BGPPeer' resource(s)"),
    ("-f tor.yaml -f node.yaml", 0, "Successfully applied 2 resource(s)"),
    ("-f versioned.yaml", 0, "Successfully applied 1 'BGPPeer' resource(s)"),
    ("-f old.yaml", 1, "error: Failed to apply 'BGPPeer' resource: [update conflict: BGPPeer(tor)]"),
    (
        "-f old.yaml -f new.yaml",
        1,
        (
            "Partial success: applied 1 out of 2 'BGPPeer' resources:\n  BGPPeer(new)\n"
            "error: Hit error(s): [update conflict: BGPPeer(tor)]"
        ),
    ),
]

REPLACE = [
    ("-f tor.yaml", 0, "Successfully replaced 1 'BGPPeer' resource(s)"),
    ("-f new.yaml", 1, f"error: Failed to replace 'BGPPeer' resource: [{MISSING.format('BGPPeer(new)')}]"),
    ("-f old.yaml", 1, "error: Failed to replace 'BGPPeer' resource: [update conflict: BGPPeer(tor)]"),
    (
        "-f tor.yaml -f new.yaml",
        1,
        (
            "Partial success: replaced 1 out of 2 'BGPPeer' resources:\n  BGPPeer(tor)\n"
            f"error: Hit error(s): [{MISSING.format('BGPPeer(new)')}]"
        ),
    ),
]

DELETE = [
    ("bgppeer tor", 0, "Successfully deleted 1 'BGPPeer' resource(s)"),
    ("BP tor user", 0, "Successfully deleted 2 'BGPPeer' resource(s)"),
    ("-f tor.yaml", 0, "Successfully deleted 1 'BGPPeer' resource(s)"),
    ("-f filter.yaml -f user.yaml", 0, "Successfully deleted 2 resource(s)"),
    (
        "bgppeer none",
        1,
        f"error: Failed to delete 'BGPPeer' resource: {MISSING.format('BGPPeer(none)')}",
    ),
    (
        "bgppeer none tor",
        1,
        (
            "Successfully deleted 1 'BGPPeer' resource(s)\n  BGPPeer(tor)\n"
            f"error: Failed to delete 'BGPPeer' resource: {MISSING.format('BGPPeer(none)')}"
        ),
    ),
    ("bgppeer none tor -s", 0, "Successfully deleted 2 'BGPPeer' resource(s) (1 of them did not exist)"),
    ("-f old.yaml", 1, "error: Failed to delete 'BGPPeer' resource: update conflict: BGPPeer(tor)"),
    (
        "bgpfilter f",
        1,
        (
            "error: BGPFilter(f) is in use by BGPPeer(user)\n"
            "error: nothing was deleted; --force deletes it all the same"
        ),
    ),
    ("bgpfilter f --force", 0, "Successfully deleted 1 'BGPFilter' resource(s)"),
    (
        "wep x -n shop -s",
        0,
        "Successfully deleted 1 'WorkloadEndpoint' resource(s) (1 of them did not exist)",
    ),
    ("", 2, f"error: give KIND and NAME, or -f FILE\n{HELP.format('delete')}"),
    ("bgppeer", 2, f"error: give the NAME of what to delete\n{HELP.format('delete')}"),
    ("bgppeer tor -f tor.yaml", 2, f"error: give KIND and NAME, or -f FILE\n{HELP.format('delete')}"),
    ("pod x", 2, f"error: resource type 'pod' is not supported; there are: {KINDS}\n{HELP.format('delete')}"),
    ("bgppeer x -n shop", 2, f"error: BGPPeer is not namespaced\n{HELP.format('delete')}"),
    (
        "bgppeer Tor",
        2,
        "error: 'Tor' is not a name (lower case letters, digits, '-' and '.', at most 253)\n"
        + HELP.format("delete"),
    ),
]

PATCH = [
    ('node n -p {"spec":{"bgp":{"asNumber":"64514"}}}', 0, "Successfully patched 1 'Node' resource"),
    ("node n -p {}", 0, "Successfully patched 1 'Node' resource"),
    ('node n --patch {"spec":{"bgp":null}} -t merge', 0, "Successfully patched 1 'Node' resource"),
    ('node n -p {"spec":{"x":1}}', 1, "error: Node(n): spec.x: is not a field this resource has"),
    (
        'bgpconfiguration default -p {"spec":{"nodeToNodeMeshEnabled":false}}',
        1,
        (
            "error: Failed to patch 'BGPConfiguration' resource: "
            f"[{MISSING.format('BGPConfiguration(default)')}]; "
            '`felixbgp create` makes one: echo \'{"apiVersion": "projectcalico.org/v3", '
            '"kind": "BGPConfiguration", "metadata": {"name": "default"}, '
            '"spec": {"nodeToNodeMeshEnabled": false}}\' | felixbgp create -f -'
        ),
    ),
    (
        'node n -p {"spec":{"bgp":{"asNumber":0}}}',
        1,
        "error: Node(n): spec.bgp.asNumber: 0 is not between 1 and 4294967295",
    ),
    (
        'node n -p {"metadata":{"name":"m"}}',
        1,
        'error: Node(n): metadata.name: "m" cannot be changed; it is "n"',
    ),
    (
        'node n -p {"metadata":{"resourceVersion":"1"}}',
        1,
        "error: Failed to patch 'Node' resource: [update conflict: Node(n)]",
    ),
    (
        'bgppeer user -p {"spec":{"filters":["f","g"]}}',
        1,
        "error: BGPPeer(user): spec.filters: BGPFilter(s) not found: g",
    ),
    ("node n", 2, f"error: Missing option '-p' / '--patch'.\n{HELP.format('patch')}"),
    ("node -p {}", 2, f"error: Missing argument 'NAME'.\n{HELP.format('patch')}"),
    (
        "node n -p {} -t json",
        2,
        "error: a patch of type json (RFC 6902) is not supported; write it as a merge patch\n"
        + HELP.format("patch"),
    ),
    (
        "node n -p []",
        2,
        f"error: the patch must be one object\n{HELP.format('patch')}",
    ),
]

LABEL = [
    ("node n a=b", 0, "Successfully set label a on node n"),
    ("no n a=b c=", 0, "Successfully set label a on no n\nSuccessfully set label c on no n"),
    ("node n rack=1", 0, "Successfully updated label rack on node n"),
    ("node n rack=2 --overwrite", 0, "Successfully updated label rack on node n"),
    ("node n rack --remove", 0, "Successfully removed label rack from node n"),
    (
        "node n rack- a=b",
        0,
        "Successfully removed label rack from node n\nSuccessfully set label a on node n",
    ),
    (
        "node n a=b rack=2",
        1,
        (
            "error: failed to update label of node n, key rack is already present with the value '1'. "
            "please use '--overwrite' to set a new value."
        ),
    ),
    ("node n a-", 1, "error: cannot remove label of node n, key a does not exist"),
    ("node m a=b", 1, f"error: {MISSING.format('Node(m)')}"),
    (
        "node n a=b=c",
        1,
        'error: Node(n): metadata.labels.a: "b=c" is not a label value (at most 63 of a-z A-Z 0-9 - _ .)',
    ),
    ("node n", 2, f"error: Missing argument 'KEY=VALUE|KEY-...'.\n{HELP.format('label')}"),
    ("node n a", 2, f"error: 'a' is not KEY=VALUE (or KEY- to remove it)\n{HELP.format('label')}"),
    ("node n =b", 2, f"error: '=b' has no key\n{HELP.format('label')}"),
    ("node n a=b a-", 2, f"error: the key 'a' is given twice\n{HELP.format('label')}"),
    ("node n a=b --remove", 2, f"error: 'a=b': --remove takes keys alone\n{HELP.format('label')}"),
    (
        "node n a --remove --overwrite",
        2,
        f"error: --overwrite and --remove cannot be used together\n{HELP.format('label')}",
    ),
]

ANNOTATE = [
    (
        "node n projectcalico.org/RouteReflectorClusterID=244.0.0.1",
        0,
        "Successfully set annotation projectcalico.org/RouteReflectorClusterID on node n",
    ),
    ("node n a=b=c", 0, "Successfully set annotation a on node n"),
    (
        "node n projectcalico.org/RouteReflectorClusterID=x",
        1,
        (
            "error: Node(n): metadata.annotations.projectcalico.org/RouteReflectorClusterID: "
            '"x" is not an IPv4 address'
        ),
    ),
    ("node n a-", 1, "error: cannot remove annotation of node n, key a does not exist"),
]

ROWS = [
    (f"{verb} {words}".strip(), code, text)
    for verb, rows in (
        ("create", CREATE),
        ("apply", APPLY),
        ("replace", REPLACE),
        ("delete", DELETE),
        ("patch", PATCH),
        ("label", LABEL),
        ("annotate", ANNOTATE),
    )
    for words, code, text in rows
]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("words", "code", "text"), ROWS, ids=[words for words, _, _ in ROWS])
def test_a_command_says(words: str, code: int, text: str) -> None:
    result = run(*words.split())
    assert (result.output, result.exit_code) == (f"{text}\n", code)


@pytest.mark.parametrize("words", [words for words, _, _ in ROWS if not words.endswith("-")])
def test_a_dry_run_ends_as_the_command_would_and_writes_nothing(store: Store, words: str) -> None:
    before = store.get_prefix("/")
    tried = run(*words.split(), "--dry-run")
    assert store.get_prefix("/") == before
    assert tried.exit_code == run(*words.split()).exit_code, tried.output


@pytest.mark.usefixtures("store")
def test_the_command_that_patch_advises_does_what_the_patch_should() -> None:
    patch = ("patch", "bgpconfiguration", "default", "-p", '{"spec": {"asNumber": "64513"}}')
    _, _, advice = run(*patch).output.partition("makes one: ")
    quoted, _, command = advice.partition(" | ")
    _, text = shlex.split(quoted)
    assert run(*command.split()[1:], given=text).exit_code == 0
    assert run(*patch, "--dry-run").output.startswith("# BGPConfiguration(default): unchanged\n")


def test_success_is_on_standard_output_and_failure_on_standard_error(store: Store) -> None:
    assert store.get(f"{RESOURCES}bgppeers/tor") is not None
    done = subprocess.run(
        [*PROGRAM, "create", "-f", "tor.yaml", "-f", "new.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == "Partial success: created 1 out of 2 'BGPPeer' resources:\n  BGPPeer(new)\n"
    assert done.stderr == "error: Hit error(s): [resource already exists: BGPPeer(tor)]\n"


@pytest.mark.parametrize(
    ("arguments", "done"),
    [
        (
            "create -f tor.yaml -f new.yaml",
            "Partial success: created 1 out of 2 'BGPPeer' resources:\n  BGPPeer(new)",
        ),
        ("apply -f new.yaml", "Successfully applied 1 'BGPPeer' resource(s)"),
        ("delete bgppeer tor", "Successfully deleted 1 'BGPPeer' resource(s)"),
        ('patch node n -p {"spec":{}}', "Successfully patched 1 'Node' resource"),
        ("label node n row=2", "Successfully set label row on node n"),
    ],
)
def test_what_was_written_is_told_where_standard_output_takes_nothing(
    store: Store, arguments: str, done: str
) -> None:
    assert store.get(f"{RESOURCES}nodes/n") is not None
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*PROGRAM, *arguments.split()], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    fault = "error: standard output cannot be written: No space left on device"
    failed = ["error: Hit error(s): [resource already exists: BGPPeer(tor)]"] if "Partial" in done else []
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [*done.splitlines(), *failed, fault]


def test_what_was_written_is_told_when_the_reader_went_away(store: Store) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        ran = subprocess.run(
            [*PROGRAM, "apply", "-f", "new.yaml"],
            stdout=write_end,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(write_end)
    assert store.get(f"{RESOURCES}bgppeers/new") is not None
    assert (ran.returncode, ran.stderr) == (1, "Successfully applied 1 'BGPPeer' resource(s)\n")


def test_what_a_dry_run_prints_can_be_applied(store: Store) -> None:
    shown = subprocess.run(
        [*PROGRAM, "apply", "-f", "list.yaml", "-f", "tor.yaml", "--dry-run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "# BGPPeer(l1): would be created\n" in shown.stdout
    assert run("apply", "-f", "-", given=shown.stdout).output == "Successfully applied 3 resource(s)\n"
    again = run("apply", "-f", "list.yaml", "--dry-run").output
    assert "# BGPPeer(l1): unchanged\n---\n# Node(l2): unchanged\n" in again
    assert store.get(f"{RESOURCES}nodes/l2") is not None


def test_a_node_without_users_goes_with_what_its_agent_published(store: Store) -> None:
    status, own = "/felixbgp/v1/nodes/n/status", f"{RESOURCES}bgpconfigurations/node.n"
    store.put(status, "{}")
    store.put(own, json.dumps(document("BGPConfiguration", "node.n", {})))
    result = run("delete", "node", "n")
    assert result.output == (
        "note: Node(n): left behind: BGPConfiguration(node.n), which means nothing without it\n"
        "Successfully deleted 1 'Node' resource(s)\n"
    )
    assert store.get(status) is None
    assert store.get(own) is not None


def test_a_node_that_many_peers_are_about_goes_with_all_of_them(store: Store) -> None:
    keys = {f"{RESOURCES}bgppeers/p{number}": peer(1, f"p{number}", node="n") for number in range(300)}
    store.put_all({key: json.dumps(value) for key, value in keys.items()})
    refused = run("delete", "node", "n")
    assert refused.output.splitlines()[0].endswith(
        "BGPPeer(p100) (spec.node), BGPPeer(p101) (spec.node), 295 more"
    )
    assert run("delete", "node", "n", "--force").exit_code == 0
    assert not store.get_prefix(f"{RESOURCES}bgppeers/p")
    assert store.get(f"{RESOURCES}nodes/n") is None


def test_a_progress_bar_is_for_terminals_alone(store: Store, tmp_path: Path) -> None:
    assert store.get(f"{RESOURCES}bgppeers/tor") is not None
    file = tmp_path / "many.json"
    file.write_text(json.dumps([peer(1, f"p{number}") for number in range(600)]))
    piped = subprocess.run([*PROGRAM, "apply", "-f", str(file)], capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == ("Successfully applied 600 'BGPPeer' resource(s)\n", "")
    own_end, its_end = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "delete", "-f", str(file)],
        stdout=subprocess.PIPE,
        stderr=its_end,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(its_end)
        printed, _ = process.communicate()
    drawn = b""
    with suppress(OSError):  # EIO: nobody has the other end any more, and all was read
        while chunk := os.read(own_end, 65_536):
            drawn += chunk
    os.close(own_end)
    assert printed == b"Successfully deleted 600 'BGPPeer' resource(s)\n"
    assert b"deleting" in drawn
    assert b"600/600" in drawn
