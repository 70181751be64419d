"""Which etcd a command speaks to."""

from pathlib import Path

import pytest

from felixbgp.runtime import contexts
from felixbgp.runtime.contexts import context_names, load_etcd, user_file
from felixbgp.runtime.settings_file import SettingsError

CONTEXTS = """\
[contexts.production]
endpoints = ["https://10.1.0.5:2379"]
username = "ann"
password = "of-production"
[contexts.lab]
endpoints = "http://10.2.0.5:2379"
username = "bob"
[contexts.open]
endpoints = "http://10.3.0.5:2379"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and an /etc of our own; nothing of this machine is read."""
    monkeypatch.setattr(contexts, "AGENT_FILE", tmp_path / "etc" / "agent.toml")
    monkeypatch.setattr(contexts, "CALICOCTL_FILE", tmp_path / "etc" / "calicoctl.cfg")
    (tmp_path / "etc").mkdir()
    (tmp_path / ".config" / "felixbgp").mkdir(parents=True)
    return tmp_path


def write_own(home: Path, text: str) -> None:
    (home / ".config" / "felixbgp" / "config.toml").write_text(text)


def write_calicoctls(home: Path, spec: str) -> None:
    header = "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nspec: "
    (home / "etc" / "calicoctl.cfg").write_text(header + spec)


def test_a_context_is_picked_by_flag_variable_or_file(home: Path) -> None:
    write_own(home, CONTEXTS)
    environ = {"HOME": str(home)}
    named = load_etcd({}, environ, context="production")
    assert named.endpoints == ("https://10.1.0.5:2379",)
    assert (named.username, named.password) == ("ann", "of-production")
    assert load_etcd({}, environ | {"FELIXBGP_CONTEXT": "open"}).endpoints == ("http://10.3.0.5:2379",)
    assert load_etcd({}, environ | {"FELIXBGP_CONTEXT": "open"}, context="production") == named
    write_own(home, 'current_context = "production"\n' + CONTEXTS)
    assert load_etcd({}, environ) == named
    assert load_etcd({}, environ | {"FELIXBGP_CONTEXT": ""}) == named
    assert context_names(environ) == ["lab", "open", "production"]


def test_a_context_stands_alone(home: Path) -> None:
    """Neither the user nor the certificates of one etcd are shown to another."""
    write_own(home, "[etcd]\nendpoints = 'http://a:1'\nusername = 'x'\npassword = 'y'\n" + CONTEXTS)
    environ = {
        "HOME": str(home),
        "ETCD_ENDPOINTS": "http://b:1",
        "ETCD_USERNAME": "somebody",
        "ETCD_PASSWORD": "else",
        "ETCD_CA_CERT_FILE": "/does/not/exist",
        "DATASTORE_TYPE": "kubernetes",
    }
    settings = load_etcd({}, environ, context="open")
    assert (settings.endpoints, settings.username, settings.password) == (("http://10.3.0.5:2379",), "", "")
    assert settings.ca_file is None
    assert load_etcd({}, environ, context="production").password == "of-production"


def test_a_password_may_come_from_the_environment_when_the_context_has_a_user(home: Path) -> None:
    write_own(home, CONTEXTS)
    environ = {"HOME": str(home), "ETCD_PASSWORD": "typed"}
    assert load_etcd({}, environ, context="lab").password == "typed"
    with pytest.raises(SettingsError, match=r"contexts\.lab\.username: is of no use without etcd.password"):
        load_etcd({}, {"HOME": str(home)}, context="lab")


def test_a_flag_is_stronger_than_a_context(home: Path) -> None:
    write_own(home, CONTEXTS)
    settings = load_etcd({"etcd.endpoints": "http://c:1"}, {"HOME": str(home)}, context="open")
    assert settings.endpoints == ("http://c:1",)


def test_endpoints_of_the_environment_are_stronger_than_the_current_context(home: Path) -> None:
    write_own(home, 'current_context = "production"\n' + CONTEXTS)
    flags: dict[str, str | None] = {"etcd.endpoints": "http://b:1"}
    environ = {"HOME": str(home)}
    for settings in (load_etcd(flags, environ), load_etcd({}, environ | {"ETCD_ENDPOINTS": "http://b:1"})):
        assert (settings.endpoints, settings.username) == (("http://b:1",), "")


def test_a_context_that_is_not_there_is_named_with_those_that_are(home: Path) -> None:
    write_own(home, CONTEXTS)
    environ = {"HOME": str(home)}
    there = r"; there are: lab, open, production$"
    with pytest.raises(SettingsError, match=r"^--context: no context 'x'" + there):
        load_etcd({}, environ, context="x")
    with pytest.raises(SettingsError, match=r"^FELIXBGP_CONTEXT: no context 'x'" + there):
        load_etcd({}, environ | {"FELIXBGP_CONTEXT": "x"})
    write_own(home, "current_context = 'x'\n" + CONTEXTS)
    with pytest.raises(SettingsError, match=r"config\.toml: current_context: no context 'x'" + there):
        load_etcd({}, environ)
    write_own(home, "")
    with pytest.raises(
        SettingsError, match=r"no context 'x'; there is none in .*config\.toml or .*agent\.toml$"
    ):
        load_etcd({}, environ, context="x")


def test_a_file_that_is_named_is_the_only_one(home: Path) -> None:
    write_own(home, 'current_context = "production"\n' + CONTEXTS)
    file = home / "other.toml"
    file.write_text("[etcd]\nendpoints = 'http://a:1'\n[contexts.mine]\nendpoints = 'http://m:1'\n")
    environ = {"HOME": str(home)}
    assert load_etcd({}, environ, file).endpoints == ("http://a:1",)
    assert load_etcd({}, environ, file, "mine").endpoints == ("http://m:1",)
    assert context_names(environ, file) == ["mine"]
    with pytest.raises(SettingsError, match="no context 'production'; there are: mine"):
        load_etcd({}, environ, file, "production")


def test_the_first_file_that_tells_of_etcd_is_taken(home: Path) -> None:
    environ = {"HOME": str(home)}
    assert load_etcd({}, environ).endpoints == ("http://127.0.0.1:2379",)
    write_calicoctls(home, "{datastoreType: etcdv3, etcdEndpoints: 'http://calico:1'}")
    assert load_etcd({}, environ).endpoints == ("http://calico:1",)
    (home / "etc" / "agent.toml").write_text("node = 'a'")
    assert load_etcd({}, environ).endpoints == ("http://calico:1",)
    (home / "etc" / "agent.toml").write_text("[etcd]\nendpoints = 'http://agent:1'")
    assert load_etcd({}, environ).endpoints == ("http://agent:1",)
    write_own(home, CONTEXTS)
    assert load_etcd({}, environ).endpoints == ("http://agent:1",)
    write_own(home, "[etcd]\nendpoints = 'http://own:1'\n" + CONTEXTS)
    assert load_etcd({}, environ).endpoints == ("http://own:1",)


def test_calicoctls_file_is_read_when_it_is_named(home: Path) -> None:
    write_calicoctls(home, "{datastoreType: etcdv3, etcdEndpoints: 'http://calico:1'}")
    assert load_etcd({}, {}, home / "etc" / "calicoctl.cfg").endpoints == ("http://calico:1",)


def test_calicoctls_file_for_kubernetes_matters_only_where_it_is_needed(home: Path) -> None:
    write_calicoctls(home, "{datastoreType: kubernetes}")
    assert load_etcd({}, {"ETCD_ENDPOINTS": "http://b:1"}).endpoints == ("http://b:1",)
    with pytest.raises(
        SettingsError, match=r"calicoctl\.cfg: spec\.datastoreType: 'kubernetes': resources are "
    ):
        load_etcd({}, {})


def test_a_users_file_is_where_the_user_keeps_such_files(home: Path) -> None:
    assert user_file({}) is None
    assert user_file({"HOME": "/home/ann"}) == Path("/home/ann/.config/felixbgp/config.toml")
    assert user_file({"HOME": "/home/ann", "XDG_CONFIG_HOME": "/x"}) == Path("/x/felixbgp/config.toml")
    assert load_etcd({}, {"HOME": str(home / "etc" / "none")}).endpoints == ("http://127.0.0.1:2379",)
