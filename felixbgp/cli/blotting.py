"""Take secrets out of octets that leave this host: known ones in all forms, and what looks like one."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

BLOT: Final = b"(removed)"
SECRET_OCTETS_MIN: Final = 4
"""Shorter ones are in every text by chance."""
LINE_OCTETS_MIN: Final = 40
"""Of a secret of several lines each that is so long counts alone, too: those of a key in PEM have 64."""
KEY_OCTETS_MAX: Final = 20_000
"""Between the first line and the last of a key in PEM: one of RSA with 16,384 bits has 12,500."""

_LOOKS: Final = {
    "private keys in PEM": re.compile(
        rb"()-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]{0,%d}?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)()"
        % KEY_OCTETS_MAX
    ),
    "users and passwords in URLs": re.compile(rb"(://)[^/@\s:'\"]+:[^/@\s'\"]+(@)"),
    "values of environment variables that hold a secret": re.compile(
        rb"(ETCD_PASSWORD=|ETCD_KEY=|OTEL_EXPORTER_OTLP_HEADERS=)[^\n]+()"
    ),
}
"""What stays, around what goes. Each begins with a text, for which it is quick to look."""
RULES: Final = tuple(_LOOKS)
"""What is taken out whoever's it is, in words."""


class Blotter:
    """Takes these secrets out, and what looks like one."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        found = {part for secret in secrets for part in _parts(secret)}
        self.secret_count = len(found)
        # The longest first, so that of one that holds another nothing is left.
        self._forms = sorted(
            {form for part in found for form in forms_of(part)}, key=lambda form: (-len(form), form)
        )

    def blot(self, content: bytes) -> tuple[bytes, int]:
        """The content without them, and in how many places something was removed."""
        places = 0
        # One after the other: a pattern of all of them takes a second for each MiB.
        for form in self._forms:
            found = content.count(form)
            if found:
                content, places = content.replace(form, BLOT), places + found
        for look in _LOOKS.values():
            content, found = look.subn(rb"\1" + BLOT + rb"\2", content)
            places += found
        return content, places


def forms_of(secret: bytes) -> Iterator[bytes]:
    """The octets, and how they look in base64, hexadecimal, in a URL, in JSON and as Python writes them."""
    text = secret.decode("utf-8", "backslashreplace")
    yield secret
    for encoded in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        # Its last characters depend on what follows, where it is a part of something longer.
        yield encoded.rstrip(b"=")
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield quote(secret).encode()
    yield quote(secret, safe="").encode()
    yield quote_plus(secret, safe="").encode()
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    yield repr(secret)[2:-1].encode()


def _parts(secret: bytes) -> Iterator[bytes]:
    """The secret without blanks around it, and its long lines."""
    whole = secret.strip()
    if len(whole) >= SECRET_OCTETS_MIN:
        yield whole
    lines = whole.splitlines()
    if len(lines) > 1:
        yield from (
            line.strip() for line in lines if len(line.strip()) >= LINE_OCTETS_MIN and b" " not in line
        )
