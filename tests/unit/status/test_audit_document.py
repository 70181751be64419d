"""Requests and answers as they stand in etcd."""

import json
from dataclasses import replace

import pytest

from felixbgp.net import Prefix
from felixbgp.status.audit import (
    DIFFERENCES_MAX,
    REPAIRS_MAX,
    TEXT_MAX,
    AuditAnswer,
    Difference,
    Kind,
    Outcome,
    Repair,
    Totals,
    Views,
)
from felixbgp.status.audit_document import (
    ORIGIN_MAX,
    decode,
    decode_request,
    encode,
    encode_request,
    to_object,
)
from felixbgp.status.proto_json import DocumentError

SECOND_NS = 1_000_000_000
WALL_OFFSET_NS = 1_700_000_000 * SECOND_NS  # 2023-11-14T22:13:20Z
ETCD_BYTES_MAX = 1_572_864
"""--max-request-bytes by default."""

PREFIX = Prefix.parse("10.0.2.0/26")
FULL = AuditAnswer(
    requests=("one", "two"),
    node="node-1",
    version="0.1.0",
    began=SECOND_NS,
    ended=2 * SECOND_NS,
    totals=Totals(originated=1, selected=2, wanted=3, installed=4, foreign=5),
    compared=6,
    differing=2,
    healed=1,
    differences=(
        Difference(PREFIX, Kind.MISSING, Views("a", "b", "c", "d"), Outcome.HEALED),
        Difference(Prefix.parse("fd10::/64"), Kind.CONFLICT, Views(), Outcome.LEFT_ALONE, "not ours"),
    ),
    repaired=(Repair(PREFIX, SECOND_NS, "", "blackhole"),),
    repairs=7,
    failure="none",
)


def shifted(answer: AuditAnswer) -> AuditAnswer:
    return replace(
        answer,
        began=answer.began + WALL_OFFSET_NS,
        ended=answer.ended + WALL_OFFSET_NS,
        repaired=tuple(entry._replace(time=entry.time + WALL_OFFSET_NS) for entry in answer.repaired),
    )


@pytest.mark.parametrize(
    "answer", [FULL, AuditAnswer(requests=(), node="n", version="", began=0, ended=0)], ids=["full", "empty"]
)
def test_an_answer_is_read_as_it_was_written(answer: AuditAnswer) -> None:
    assert decode(encode(answer, WALL_OFFSET_NS)) == shifted(answer)


def test_the_form_in_etcd() -> None:
    assert (
        encode(FULL, WALL_OFFSET_NS).decode()
        == """\
{
 "requests": ["one", "two"],
 "node": "node-1",
 "version": "0.1.0",
 "began": "2023-11-14T22:13:21Z",
 "ended": "2023-11-14T22:13:22Z",
 "totals": {"originated": 1, "selected": 2, "wanted": 3, "installed": 4, "foreign": 5},
 "compared": 6,
 "differing": 2,
 "healed": 1,
 "differences": [
  {"prefix": "10.0.2.0/26", "kind": "Missing", "intent": "a", "locRib": "b", "wanted": "c", "kernel": "d", \
"outcome": "Healed", "reason": ""},
  {"prefix": "fd10::/64", "kind": "Conflict", "intent": "", "locRib": "", "wanted": "", "kernel": "", \
"outcome": "LeftAlone", "reason": "not ours"}
 ],
 "repaired": [
  {"prefix": "10.0.2.0/26", "time": "2023-11-14T22:13:21Z", "found": "", "wanted": "blackhole"}
 ],
 "repairs": 7,
 "failure": "none"
}
"""
    )
    assert to_object(shifted(FULL)) == json.loads(encode(FULL, WALL_OFFSET_NS))


def test_the_longest_answer_fits_into_etcd() -> None:
    text = "x" * TEXT_MAX
    longest = Difference(
        Prefix.parse("2001:db8:1111:2222:3333:4444:5555:6666/128"),
        Kind.NOT_ORIGINATED,
        Views(text, text, text, text),
        Outcome.LEFT_ALONE,
        text,
    )
    answer = replace(
        FULL,
        differences=(longest,) * DIFFERENCES_MAX,
        repaired=(Repair(longest.prefix, 0, text, text),) * REPAIRS_MAX,
    )
    assert len(encode(answer, WALL_OFFSET_NS)) < ETCD_BYTES_MAX


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"differences": [{"prefix": "x"}]}', "differences[0].kind: '' is not known"),
        (
            b'{"differences": [{"kind": "Missing", "outcome": "Maybe"}]}',
            "differences[0].outcome: 'Maybe' is not known",
        ),
        (
            b'{"differences": [{"kind": "Missing", "outcome": "Healed", "prefix": "x"}]}',
            "differences[0].prefix: ",
        ),
        (b'{"repaired": [{"prefix": "10.0.0.1/8"}]}', "repaired[0].prefix: "),
    ],
)
def test_an_answer_that_cannot_be_read_names_the_field(value: bytes, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        decode(value)
    assert reason in str(caught.value)


def test_a_request_says_who_asks() -> None:
    assert encode_request("root@node-1") == b'{\n "origin": "root@node-1"\n}\n'
    assert decode_request(encode_request("root@node-1")) == "root@node-1"
    assert decode_request(encode_request("x" * 1000)) == "x" * ORIGIN_MAX
    assert decode_request(b'{"newer": 1}') == ""
