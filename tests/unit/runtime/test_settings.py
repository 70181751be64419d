"""Where settings come from, which one wins, and what is said about a wrong one."""

from pathlib import Path

import pytest

from felixbgp.agent.config import AgentConfig
from felixbgp.bgp.inputs import Endpoint
from felixbgp.net import Address
from felixbgp.runtime.contexts import load_etcd
from felixbgp.runtime.settings import (
    SETTINGS,
    AgentSettings,
    authority,
    hashed_router_id,
    load,
    state_directory,
)
from felixbgp.runtime.settings_file import SettingsError

FULL_FILE = """\
node = "from-file"
router_id = "10.0.0.3"
log_level = "error"
secrets_dir = "/run/secrets/bgp"
state_directory = "/srv/felixbgp"
route_protocol = 200
route_metric = 3000
route_table = 1000
take_over = ["bird", "186"]
no_kernel = true
draining_seconds = 30

[telemetry]
otlp_endpoint = "https://collector:4317"
otlp_protocol = "grpc"
prometheus = "[::1]:9179"

[etcd]
endpoints = ["https://10.0.0.3:2379", "https://10.0.0.4:2379"]
username = "file-user"
password = "file-password"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(FULL_FILE)
    return path


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return path


def loaded(
    flags: dict[str, str | None] | None = None,
    environ: dict[str, str] | None = None,
    path: Path | None = None,
    hostname: str = "Host-1.Example.ORG",
) -> AgentSettings:
    return load(flags or {}, environ or {}, path, hostname=lambda: hostname)


def test_without_anything_there_are_defaults() -> None:
    settings = loaded()
    assert settings.node == "host-1.example.org"
    assert settings.etcd.endpoints == ("http://127.0.0.1:2379",)
    assert (settings.router_id, settings.log_level) == (None, None)
    assert settings.secrets_dir == Path("/etc/felixbgp/secrets")
    assert settings.state_directory == Path("/var/lib/felixbgp")
    assert settings.agent_config == AgentConfig(node="host-1.example.org")
    assert settings.route_table == 254
    assert settings.telemetry.is_on is False


def test_the_file_alone(file: Path) -> None:
    settings = loaded(path=file)
    assert settings.agent_config == AgentConfig(
        node="from-file",
        router_id=Address.parse("10.0.0.3"),
        route_protocol=200,
        route_metric=3000,
        route_table=1000,
        forwards=False,
        draining_seconds=30,
    )
    assert settings.route_table == 1000
    assert settings.take_over == (12, 186)
    assert (settings.log_level, settings.secrets_dir) == ("error", Path("/run/secrets/bgp"))
    assert settings.state_directory == Path("/srv/felixbgp")
    told = settings.telemetry
    assert (told.otlp_endpoint, told.otlp_protocol) == ("https://collector:4317", "grpc")
    assert (told.prometheus, told.is_on) == (Endpoint(Address.parse("::1"), 9179), True)
    assert settings.etcd.endpoints == ("https://10.0.0.3:2379", "https://10.0.0.4:2379")
    assert (settings.etcd.username, settings.etcd.password) == ("file-user", "file-password")


def test_the_environment_is_stronger_than_the_file(file: Path) -> None:
    environ = {
        "NODENAME": "from-env",
        "CALICO_ROUTER_ID": "10.0.0.2",
        "ETCD_ENDPOINTS": "http://10.0.0.2:2379,http://10.0.0.5:2379",
        "ETCD_USERNAME": "env-user",
        "ETCD_PASSWORD": "env-password",
    }
    settings = loaded(environ=environ, path=file)
    assert (settings.node, settings.router_id) == ("from-env", Address.parse("10.0.0.2"))
    assert settings.etcd.endpoints == ("http://10.0.0.2:2379", "http://10.0.0.5:2379")
    assert (settings.etcd.username, settings.etcd.password) == ("env-user", "env-password")
    assert settings.log_level == "error"  # only the file has it


def test_flags_are_stronger_than_the_environment(file: Path) -> None:
    environ = {"NODENAME": "from-env", "ETCD_ENDPOINTS": "http://10.0.0.2:2379"}
    settings = loaded({"node": "from-flag", "etcd.endpoints": None}, environ, file)
    assert settings.node == "from-flag"
    assert settings.etcd.endpoints == ("http://10.0.0.2:2379",)


def test_a_switch_may_be_turned_off_again(file: Path) -> None:
    assert loaded(path=file).no_kernel
    assert not loaded(environ={"FELIXBGP_NO_KERNEL": "False"}, path=file).no_kernel
    assert loaded({"no_kernel": "true"}, {"FELIXBGP_NO_KERNEL": "false"}, file).no_kernel


def test_no_state_need_be_kept(file: Path) -> None:
    assert loaded({"state_directory": "none"}, path=file).state_directory is None
    assert state_directory({"FELIXBGP_STATE_DIRECTORY": "none"}, file) is None
    assert state_directory({}, file) == Path("/srv/felixbgp")


def test_an_empty_variable_counts_as_none(file: Path) -> None:
    assert loaded(environ={"NODENAME": ""}, path=file).node == "from-file"


def test_certificates_are_taken(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("ca", "cert", "key")}
    for path in paths.values():
        path.write_text("-")
    environ = {
        "ETCD_ENDPOINTS": "https://10.0.0.2:2379",
        "ETCD_CA_CERT_FILE": str(paths["ca"]),
        "ETCD_CERT_FILE": str(paths["cert"]),
        "ETCD_KEY_FILE": str(paths["key"]),
    }
    etcd = loaded(environ=environ).etcd
    assert (etcd.ca_file, etcd.cert_file, etcd.key_file) == (paths["ca"], paths["cert"], paths["key"])


def test_certificates_may_be_given_as_they_are() -> None:
    environ = {"ETCD_CA_CERT": "ca", "ETCD_CERT": "cert", "ETCD_KEY": "key", "DATASTORE_TYPE": "etcdv3"}
    etcd = loaded(environ=environ).etcd
    assert (etcd.ca_pem, etcd.cert_pem, etcd.key_pem) == ("ca", "cert", "key")
    assert "key_pem" not in repr(etcd)


def test_the_agent_reads_calicoctls_file_too(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nspec: {etcdEndpoints: 'http://a:1'}\n",
    )
    assert loaded(path=path).etcd.endpoints == ("http://a:1",)


def test_the_router_id_may_be_a_hash_of_the_name_as_calico_makes_it() -> None:
    settings = loaded(environ={"NODENAME": "node-1", "CALICO_ROUTER_ID": "hash"})
    # `printf node-1 | sha256sum` begins with 35971be6.
    assert settings.router_id == Address.parse("53.151.27.230")


def test_a_hashed_router_id_is_never_multicast() -> None:
    identifiers = [hashed_router_id(f"node-{number}") for number in range(300)]
    assert max(identifier[0] for identifier in identifiers) <= 223
    assert len(set(identifiers)) == 300


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ETCD_ENDPOINTS": "ftp://a:1"}, "environment ETCD_ENDPOINTS: endpoint 'ftp://a:1': the scheme"),
        ({"ETCD_ENDPOINTS": " , "}, "environment ETCD_ENDPOINTS: no endpoint in it"),
        ({"ETCD_CA_CERT_FILE": "/does/not/exist"}, "environment ETCD_CA_CERT_FILE: /does/not/exist: No such"),
        (
            {"ETCD_USERNAME": "u"},
            r"environment ETCD_USERNAME: is of no use without etcd\.password \(ETCD_PASS",
        ),
        ({"ETCD_PASSWORD": "p"}, r"environment ETCD_PASSWORD: is of no use without etcd\.username"),
        ({"ETCD_KEY_FILE": "/dev/null"}, r"environment ETCD_KEY_FILE: is of no use without etcd\.cert_file"),
        ({"ETCD_KEY": "PEM"}, r"environment ETCD_KEY: is of no use without etcd\.cert "),
        (
            {"ETCD_CA_CERT": "PEM", "ETCD_CA_CERT_FILE": "/dev/null"},
            "environment ETCD_CA_CERT: cannot mix inline certificates and certificate files",
        ),
        (
            {"DATASTORE_TYPE": "kubernetes"},
            "environment DATASTORE_TYPE: 'kubernetes': resources are kept in etcd; only 'etcdv3' can be used",
        ),
        (
            {"ETCD_DISCOVERY_SRV": "example.org"},
            "environment ETCD_DISCOVERY_SRV: not supported; list the endpoints in ETCD_ENDPOINTS",
        ),
        ({"CALICO_ROUTER_ID": "fd00::1"}, "environment CALICO_ROUTER_ID: 'fd00::1' is no BGP identifier"),
        ({"CALICO_ROUTER_ID": "0.0.0.0"}, "environment CALICO_ROUTER_ID: '0.0.0.0' is no BGP identifier"),
        ({"CALICO_ROUTER_ID": "x"}, "environment CALICO_ROUTER_ID: 'x' is not an IPv4 or IPv6 address"),
        ({"NODENAME": "a/b"}, "environment NODENAME: 'a/b' is no node name"),
        ({"NODENAME": "x" * 254}, "environment NODENAME: 'x+' is no node name"),
        ({"FELIXBGP_LOG_LEVEL": "loud"}, "environment FELIXBGP_LOG_LEVEL: 'loud' is not one of debug, info"),
        (
            {"FELIXBGP_ROUTE_PROTOCOL": "256"},
            "environment FELIXBGP_ROUTE_PROTOCOL: '256' is not a number from 1",
        ),
        (
            {"FELIXBGP_ROUTE_PROTOCOL": "2"},
            "environment FELIXBGP_ROUTE_PROTOCOL: '2' marks the routes of kernel, which would count as ours",
        ),
        (
            {"FELIXBGP_ROUTE_PROTOCOL": "80"},
            "environment FELIXBGP_ROUTE_PROTOCOL: '80' marks the routes of calico, which would count as ours",
        ),
        (
            {"FELIXBGP_SECRETS_DIR": "secrets"},
            "environment FELIXBGP_SECRETS_DIR: 'secrets' is not the absolute path of a directory",
        ),
        (
            {"FELIXBGP_STATE_DIRECTORY": "state"},
            "environment FELIXBGP_STATE_DIRECTORY: 'state' is not the absolute path of a directory",
        ),
        (
            {"FELIXBGP_TAKE_OVER": "bird,quagga"},
            "environment FELIXBGP_TAKE_OVER: 'quagga' is neither a protocol that `ip route` names nor",
        ),
        (
            {"FELIXBGP_TAKE_OVER": "256"},
            "environment FELIXBGP_TAKE_OVER: '256' is neither a protocol that `ip route` names nor",
        ),
        (
            {"FELIXBGP_TAKE_OVER": "calico"},
            "environment FELIXBGP_TAKE_OVER: 'calico' marks the routes of calico, which are not BGP's",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
            "environment OTEL_EXPORTER_OTLP_ENDPOINT: not a URL that begins with http, https, unix",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://ann:secret@collector"},
            "environment OTEL_EXPORTER_OTLP_ENDPOINT: no user or password in the URL; OTEL_EXPORTER",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "unix:/run/otlp"},
            "environment OTEL_EXPORTER_OTLP_ENDPOINT: a Unix socket is for grpc; telemetry.otlp",
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "environment OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' is not one of http/protobuf, grpc",
        ),
        ({"FELIXBGP_PROMETHEUS": "9179"}, "environment FELIXBGP_PROMETHEUS: '9179' is not ADDRESS:PORT, .*"),
        (
            {"FELIXBGP_PROMETHEUS": "127.0.0.1:99999"},
            "environment FELIXBGP_PROMETHEUS: 99999 is no port",
        ),
        ({"FELIXBGP_NO_KERNEL": "1"}, "environment FELIXBGP_NO_KERNEL: '1' is not false or true"),
        ({"FELIXBGP_ROUTE_METRIC": "9" * 5000}, "environment FELIXBGP_ROUTE_METRIC: '9+' is not a number"),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}"):
        loaded(environ=environ)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[etcd]\nendponts = 'http://a:1'",
            r"etcd\.endponts: no such setting; did you mean etcd\.endpoints\?",
        ),
        ("colour = 'red'", r"colour: no such setting; there are: node, router_id"),
        ("etcd = 'http://a:1'", "etcd: no such setting"),
        ("[etcd]\nendpoints = ['ftp://a']", r"etcd\.endpoints: endpoint 'ftp://a': the scheme"),
        ("[etcd]\nendpoints = [1]", r"etcd\.endpoints: a text or a list of texts is wanted"),
        ("node = 1", "node: a text in quotes is wanted"),
        ("route_metric = '1024'", "route_metric: an integer is wanted"),
        ("route_metric = true", "route_metric: an integer is wanted"),
        ("no_kernel = 'true'", "no_kernel: true or false is wanted, without quotes"),
        ("no_kernel = 1", "no_kernel: true or false is wanted, without quotes"),
        ("route_table = 0", "route_table: '0' is not a number from 1 to 4294967295"),
        ("draining_seconds = 3601", "draining_seconds: '3601' is not a number from 0 to 3600"),
        ("route_metric = -1", "route_metric: '-1' is not a number from 1 to 4294967295"),
        ("node = ", r"Invalid value \(at end of document\)"),
        ("a=" + "[" * 5000, ""),
    ],
)
def test_a_wrong_line_of_the_file_is_named_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError, match=f"^{path}: {message}"):
        loaded(path=path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=f"^{path}: "):
        loaded(path=path)


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(SettingsError, match="/dev/zero: more than"):
        loaded(path=Path("/dev/zero"))


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        loaded(path=tmp_path / "none.toml")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Is a directory"):
        loaded(path=tmp_path)


def test_a_flag_is_named_by_its_name() -> None:
    with pytest.raises(SettingsError, match=r"^--etcd-endpoints: endpoint 'ftp://x'"):
        loaded({"etcd.endpoints": "ftp://x"})


def test_the_hosts_name_is_named_when_it_is_no_node_name() -> None:
    with pytest.raises(SettingsError, match=r"^the name of this host: '_' is no node name"):
        loaded(hostname="_")


def test_a_password_is_not_printed(file: Path) -> None:
    assert "file-password" not in repr(loaded(path=file))


def test_a_client_reads_the_same_sources(file: Path) -> None:
    assert load_etcd({}, {}, file) == loaded(path=file).etcd
    assert load_etcd({"etcd.endpoints": "http://a:1"}, {}, file).endpoints == ("http://a:1",)


def test_every_setting_has_its_own_name_variable_and_flag() -> None:
    for attribute in ("name", "variable", "flag"):
        given = [text for setting in SETTINGS if (text := getattr(setting, attribute))]
        assert len(set(given)) == len(given)
    without = [setting.name for setting in SETTINGS if not setting.flag]
    assert without == ["etcd.password", "etcd.ca_cert", "etcd.cert", "etcd.key"]


# ---- where the agent answers


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    names = {"cert_file": "node.pem", "key_file": "node.key", "ca_cert_file": "ca.pem"}
    for name in names.values():
        (tmp_path / name).write_text("PEM")
    return {f"status.{setting}": str(tmp_path / name) for setting, name in names.items()}


def test_health_is_answered_on_this_host_unless_told_otherwise() -> None:
    assert loaded().health == Endpoint(Address.parse("127.0.0.1"), 9178)
    assert loaded({"health_address": "[::1]:80"}).health == Endpoint(Address.parse("::1"), 80)
    assert loaded({"health_address": "none"}).health is None
    assert loaded().status is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.1:9178", "no loopback address"),
        ("127.0.0.1", "is not ADDRESS:PORT"),
        ("::1:9178", "is not ADDRESS:PORT"),
        ("[127.0.0.1]:9178", "is not ADDRESS:PORT"),
        ("localhost:9178", "is not ADDRESS:PORT"),
        ("127.0.0.1:0", "0 is no port"),
        ("127.0.0.1:65536", "65536 is no port"),
    ],
)
def test_a_wrong_health_address_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"--health-address: .*{reason}"):
        loaded({"health_address": text})


def test_the_status_endpoint_has_an_address_and_certificates_or_is_not_there(
    certificates: dict[str, str],
) -> None:
    status = loaded({"status.address": "10.0.0.1:9179", **certificates}).status
    assert status is not None
    assert authority(status.endpoint) == "10.0.0.1:9179"
    assert str(status.tls.key_file) == certificates["status.key_file"]
    with pytest.raises(SettingsError, match=r"--status-address: is of no use without status\.cert_file"):
        loaded({"status.address": "10.0.0.1:9179"})
    for missing, path in certificates.items():
        others = {setting: one for setting, one in certificates.items() if setting != missing}
        with pytest.raises(SettingsError, match=f"is of no use without {missing}"):
            loaded({"status.address": "10.0.0.1:9179", **others})
        with pytest.raises(SettingsError, match=f"{path}x: No such file"):
            loaded({"status.address": "10.0.0.1:9179", **certificates, missing: f"{path}x"})
    with pytest.raises(SettingsError, match="an address of this node is wanted"):
        loaded({"status.address": "0.0.0.0:9179", **certificates})
