"""Files of settings: ours, and calicoctl's."""

import json
from pathlib import Path

import pytest

from felixbgp.runtime.settings import KNOWN
from felixbgp.runtime.settings_file import SettingsError, SettingsFile, read

OURS = """\
node = "node-1"
current_context = "far"
[etcd]
endpoints = ["http://10.0.0.3:2379"]
[contexts.far]
endpoints = "https://10.1.0.5:2379"
username = "ann"
[contexts.near]
endpoints = ["http://127.0.0.1:2379"]
"""
CALICOCTL = """\
apiVersion: projectcalico.org/v3
kind: CalicoAPIConfig
metadata:
spec:
  datastoreType: "etcdv3"
  etcdEndpoints: "https://10.0.0.5:2379,https://10.0.0.6:2379"
  etcdUsername: ann
  etcdPassword: secret
  etcdCACertFile: /ca
  etcdCertFile: /cert
  etcdKeyFile: /key
  k8sAPIEndpoint: https://unused
"""


def of(tmp_path: Path, text: str) -> SettingsFile:
    path = tmp_path / "file"
    path.write_text(text)
    return read(path, KNOWN)


def test_ours_has_settings_and_contexts(tmp_path: Path) -> None:
    file = of(tmp_path, OURS)
    assert {name: written.value for name, written in file.values.items()} == {
        "node": "node-1",
        "etcd.endpoints": ["http://10.0.0.3:2379"],
    }
    assert {name: sorted(context) for name, context in file.contexts.items()} == {
        "far": ["etcd.endpoints", "etcd.username"],
        "near": ["etcd.endpoints"],
    }
    assert file.contexts["far"]["etcd.username"].name == "contexts.far.username"
    assert file.current_context == "far"
    assert file.tells_of_etcd


def test_calicoctls_is_read_as_yaml_or_json(tmp_path: Path) -> None:
    file = of(tmp_path, CALICOCTL)
    assert {name: written.value for name, written in file.values.items()} == {
        "etcd.endpoints": "https://10.0.0.5:2379,https://10.0.0.6:2379",
        "etcd.username": "ann",
        "etcd.password": "secret",
        "etcd.ca_cert_file": "/ca",
        "etcd.cert_file": "/cert",
        "etcd.key_file": "/key",
    }
    assert file.values["etcd.endpoints"].name == "spec.etcdEndpoints"
    document = {
        "kind": "CalicoAPIConfig",
        "apiVersion": "projectcalico.org/v3",
        "spec": {"etcdEndpoints": "http://a:1", "etcdCACert": "PEM", "etcdCert": "PEM", "etcdKey": "PEM"},
    }
    for indent in (None, 2):
        values = of(tmp_path, json.dumps(document, indent=indent)).values
        assert sorted(values) == ["etcd.ca_cert", "etcd.cert", "etcd.endpoints", "etcd.key"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("current_context = 1", "current_context: a text in quotes is wanted"),
        ("contexts = 1", r"contexts: tables are wanted, \[contexts.NAME\]"),
        ("[contexts]\na = 1", "contexts: tables are wanted"),
        ("[contexts.a]\nusername = 'x'", "contexts.a.endpoints: is missing"),
        (
            "[contexts.a]\nendponts = 'x'",
            "contexts.a.endponts: no such setting; did you mean contexts.a.endpoints?",
        ),
        ("[contexts.a]\nnode = 'x'", "contexts.a.node: no such setting"),
        ("curent_context = 'a'", r"curent_context: no such setting; did you mean current_context\?"),
        (
            CALICOCTL.replace("etcdv3", "kubernetes"),
            "spec.datastoreType: 'kubernetes': resources are kept in etcd; ",
        ),
        (
            CALICOCTL.replace("etcdEndpoints:", "etcdDiscoverySrv:"),
            "spec.etcdDiscoverySrv: not supported; list the endpoints in etcdEndpoints",
        ),
        (
            "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig",
            "spec.etcdEndpoints: is missing; only etcd can be used, not Kubernetes",
        ),
        (
            CALICOCTL.replace("etcdUsername", "etcdUser"),
            r"spec.etcdUser: no such setting; did you mean spec.etcd",
        ),
        (CALICOCTL.replace("metadata", "meta"), r"meta: no such setting; did you mean metadata\?"),
        (CALICOCTL.replace("CalicoAPIConfig", "Config"), "kind: 'Config' is not 'CalicoAPIConfig'"),
        (
            CALICOCTL.replace("org/v3", "org/v2"),
            "apiVersion: 'projectcalico.org/v2' is not 'projectcalico.org/v3'",
        ),
        ("kind: [", "while parsing a flow"),
        ("kind: x\n---\nkind: y", "expected a single document"),
        ("apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nspec: 1", "spec: an object is wanted"),
        ("kind: " + "[" * 5000, ""),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{tmp_path}/file: {message}"):
        of(tmp_path, text)


def test_a_file_that_is_not_there_may_count_as_empty(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert read(missing, KNOWN, empty_if=(FileNotFoundError,)) == SettingsFile(missing)
    with pytest.raises(SettingsError, match=f"{missing}: no such file"):
        read(missing, KNOWN, empty_if=(PermissionError,))
