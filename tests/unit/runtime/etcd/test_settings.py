"""Endpoints, and settings that cannot work."""

from pathlib import Path
from typing import Any

import pytest

from felixbgp.runtime.etcd import Endpoint, EtcdSettings, SettingsError, parse_endpoints


@pytest.mark.parametrize(
    ("text", "endpoint", "shown"),
    [
        ("http://etcd-1:2379", Endpoint("etcd-1", 2379, tls=False), "http://etcd-1:2379"),
        ("https://10.0.0.1", Endpoint("10.0.0.1", 2379, tls=True), "https://10.0.0.1:2379"),
        ("https://[fd00::1]:4001/", Endpoint("fd00::1", 4001, tls=True), "https://[fd00::1]:4001"),
        ("etcd-1:4001", Endpoint("etcd-1", 4001, tls=False), "http://etcd-1:4001"),
    ],
)
def test_endpoint(text: str, endpoint: Endpoint, shown: str) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://a",
        "http://",
        "http://a:port",
        "http://a:99999",
        "http://user@a",
        "http://a/v3",
        "http://a?x=1",
    ],
)
def test_text_that_is_no_endpoint_is_quoted(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Endpoint.parse(text)
    assert repr(text) in str(refused.value)


def test_list_of_endpoints() -> None:
    assert parse_endpoints(" http://a:1 ,https://b:2,, ") == ("http://a:1", "https://b:2")
    with pytest.raises(SettingsError, match="'ftp://b'"):
        parse_endpoints("http://a,ftp://b")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"endpoints": ()}, "endpoints"),
        ({"endpoints": ("ftp://a",)}, "endpoint"),
        ({"cert_file": Path("cert.pem")}, "cert_file"),
        ({"key_file": Path("key.pem")}, "key_file"),
        ({"key_pem": "PEM"}, "key_pem"),
        ({"password": "secret"}, "password"),
        ({"request_timeout_seconds": 0}, "request_timeout_seconds"),
        ({"page_keys": 0}, "page_keys"),
        ({"stream_window_bytes": -1}, "stream_window_bytes"),
    ],
)
def test_settings_that_cannot_work_name_the_field(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        EtcdSettings(**fields)


def test_password_is_not_shown() -> None:
    assert "secret" not in repr(EtcdSettings(username="agent", password="secret"))
