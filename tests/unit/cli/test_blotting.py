"""What is taken out of octets that leave the host."""

import base64
import json
from urllib.parse import quote

import pytest

from felixbgp.cli.blotting import KEY_OCTETS_MAX, Blotter, forms_of

SECRET = 'p/w+ "1" \N{LATIN SMALL LETTER A WITH DIAERESIS}\\?'.encode()
LINE = b"Aa+/" * 16
KEY = b"-----BEGIN EC PRIVATE KEY-----\n" + LINE + b"\nBb+/\n-----END EC PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        base64.b64encode(SECRET),
        base64.urlsafe_b64encode(SECRET),
        SECRET.hex().encode(),
        SECRET.hex().upper().encode(),
        quote(SECRET).encode(),
        quote(SECRET, safe="").encode(),
        json.dumps(SECRET.decode()).encode(),
        json.dumps(SECRET.decode(), ensure_ascii=False).encode(),
        repr(SECRET).encode(),
    ],
)
def test_a_known_secret_goes_in_every_form(written: bytes) -> None:
    content, places = Blotter([SECRET]).blot(b"x=" + written + b";" + written + b";")
    assert places == 2
    assert all(form not in content for form in forms_of(SECRET))
    assert content.startswith(b"x=")


def test_the_longer_of_two_goes_first_and_short_ones_and_nothing_are_none() -> None:
    blotter = Blotter([b"abcd", b"abcdefgh\n", b"ab", b"", b"  "])
    assert blotter.secret_count == 2
    assert blotter.blot(b"ab abcdefgh abcd") == (b"ab (removed) (removed)", 2)


def test_the_lines_of_a_key_go_too() -> None:
    blotter = Blotter([KEY])
    assert blotter.blot(b"line: " + LINE + b" end")[0] == b"line: (removed) end"


@pytest.mark.parametrize(
    ("content", "left"),
    [
        (b"a\n" + KEY + b"b", b"a\n(removed)\nb"),
        (b'{"key": "' + KEY.replace(b"\n", b"\\n") + b'"}', b'{"key": "(removed)\\n"}'),
        (b"begins -----BEGIN PRIVATE KEY-----\nAAAA", b"begins (removed)"),
        (b"at https://ann:secret@192.0.2.1:1/x and", b"at https://(removed)@192.0.2.1:1/x and"),
        (
            b"Environment=ETCD_PASSWORD=a b\nEnvironment=X=1",
            b"Environment=ETCD_PASSWORD=(removed)\nEnvironment=X=1",
        ),
        (b"OTEL_EXPORTER_OTLP_HEADERS=t=1,u=2\nq", b"OTEL_EXPORTER_OTLP_HEADERS=(removed)\nq"),
    ],
)
def test_what_looks_like_a_secret_goes_whoever_s_it_is(content: bytes, left: bytes) -> None:
    assert Blotter([]).blot(content) == (left, 1)


def test_nothing_else_goes() -> None:
    innocent = (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nhttp://[fd00::1]:2379 10.0.0.0/8 "
        b"a:b@c ETCD_KEY_FILE=/etc/x ETCD_ENDPOINTS=http://192.0.2.1:2379\n" + b"x" * KEY_OCTETS_MAX
    )
    assert Blotter([SECRET]).blot(innocent) == (innocent, 0)
