"""The lab's own hands on etcd: get, put and delete over etcd's JSON gateway.

Synchronous, and on purpose not the client that the agents use: a fault of that client cannot hide from
what is written and checked here.
"""

import base64
import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 5.0
DELETE_BATCH = 100
"""etcd refuses transactions of more than 128 operations (--max-txn-ops)."""


class StoreError(Exception):
    """etcd cannot be reached, or refused a request; the text has its own words."""


class Store:
    """A client of one or several `http://host:port` endpoints; the first that answers is used."""

    def __init__(self, endpoints: Iterable[str]) -> None:
        self._endpoints = [parse_endpoint(endpoint) for endpoint in endpoints]
        if not self._endpoints:
            raise StoreError("no etcd endpoint given")

    def get(self, key: str) -> bytes | None:
        """The value of a key, or None."""
        return self._range({"key": _text(key)}).get(key)

    def get_prefix(self, prefix: str) -> dict[str, bytes]:
        """All keys below a prefix with their values, in key order."""
        return self._range(_prefix_range(prefix))

    def writes(self, key: str) -> int:
        """How often a key was written since it was made (etcd's version); 0 when it is not there."""
        pairs = self._call("kv/range", {"key": _text(key)}).get("kvs", [])
        return int(pairs[0]["version"]) if pairs else 0

    def put(self, key: str, value: str) -> int:
        """Write one key; gives the store's revision."""
        answer = self._call("kv/put", {"key": _text(key), "value": _text(value)})
        return int(answer["header"]["revision"])

    def put_all(self, values: Mapping[str, str]) -> None:
        """Write several keys in transactions, so that a watcher sees them together."""
        puts = [{"request_put": {"key": _text(key), "value": _text(value)}} for key, value in values.items()]
        self._transact(puts)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove keys; those that are not there are no error."""
        self._transact([{"request_delete_range": {"key": _text(key)}} for key in keys])

    def compact(self, revision: int) -> None:
        """Discard the history before a revision, so that watches from there must start over."""
        self._call("kv/compaction", {"revision": str(revision), "physical": True})

    def revision(self) -> int:
        """The store's current revision."""
        answer = self._call("kv/range", {"key": _text("\0"), "count_only": True})
        return int(answer["header"]["revision"])

    def leads(self) -> bool:
        """Whether the member that answers is the cluster's leader."""
        status = self._call("maintenance/status", {})
        return bool(status.get("leader", "0") == status["header"]["member_id"])

    def _transact(self, operations: list[dict[str, Any]]) -> None:
        for start in range(0, len(operations), DELETE_BATCH):
            self._call("kv/txn", {"success": operations[start : start + DELETE_BATCH]})

    def _range(self, request: dict[str, Any]) -> dict[str, bytes]:
        pairs = self._call("kv/range", request).get("kvs", [])
        return {
            base64.b64decode(pair["key"]).decode(): base64.b64decode(pair.get("value", "")) for pair in pairs
        }

    def _call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        problems = []
        for host, port in self._endpoints:
            try:
                return _post(host, port, f"/v3/{method}", request)
            except (OSError, http.client.HTTPException) as error:
                problems.append(f"{host}:{port}: {error}")
        raise StoreError(f"no etcd answers: {'; '.join(problems)}")


def parse_endpoint(endpoint: str) -> tuple[str, int]:
    """Host and port of `http://host:port` (port 2379 when left out). Raises `StoreError`."""
    parts = urlsplit(endpoint)
    try:
        port = parts.port or 2379
    except ValueError as error:
        raise StoreError(f"{endpoint!r} has no usable port: {error}") from error
    if parts.scheme != "http" or not parts.hostname:
        raise StoreError(f"{endpoint!r}: the lab talks to etcd at http://host:port only")
    return parts.hostname, port


def _post(host: str, port: int, path: str, request: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, json.dumps(request))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise StoreError(f"etcd at {host}:{port} did not answer in JSON: {body[:200]!r}") from error
    if response.status != http.client.OK:
        reason = answer.get("error") or answer.get("message") or response.reason
        raise StoreError(f"etcd at {host}:{port} refused {path}: {reason}")
    return dict(answer)


def _text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _prefix_range(prefix: str) -> dict[str, Any]:
    # The first key that is not below the prefix: its last octet, plus one. Our prefixes are ASCII.
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return {"key": _text(prefix), "range_end": _text(end)}
