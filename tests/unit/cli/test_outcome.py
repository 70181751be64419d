"""What the verbs that write tell."""

import click
import pytest

from felixbgp.cli.outcome import Words, tell
from felixbgp.cli.writing import Report
from felixbgp.resources import ResourceKey

CREATE = Words("create", "created")
A, B, NODE = ResourceKey("BGPPeer", "a"), ResourceKey("BGPPeer", "b"), ResourceKey("Node", "n")
EXISTS = "resource already exists: BGPPeer(a)"


@pytest.mark.parametrize(
    ("done", "text"),
    [
        ([A], "Successfully created 1 'BGPPeer' resource(s)\n"),
        ([A, B], "Successfully created 2 'BGPPeer' resource(s)\n"),
        ([A, NODE], "Successfully created 2 resource(s)\n"),
    ],
)
def test_all_is_done(done: list[ResourceKey], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell(CREATE, done, Report(done=done))
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ([A], f"Failed to create 'BGPPeer' resource: [{EXISTS}]"),
        ([A, B], f"Failed to create any 'BGPPeer' resources: [{EXISTS}, BGPPeer(b): no]"),
        ([A, NODE], f"Failed to create any resources: [{EXISTS}, Node(n): no]"),
    ],
)
def test_nothing_is_done(wanted: list[ResourceKey], text: str) -> None:
    errors = [(key, EXISTS if key == A else "no") for key in wanted]
    with pytest.raises(click.ClickException) as raised:
        tell(CREATE, wanted, Report(errors=errors))
    assert raised.value.message == text


def test_what_is_half_done_names_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.ClickException) as raised:
        tell(CREATE, [A, B, NODE], Report(done=[B, NODE], errors=[(A, EXISTS)]))
    printed = capsys.readouterr().out
    assert printed == "Partial success: created 2 out of 3 resources:\n  BGPPeer(b)\n  Node(n)\n"
    assert raised.value.message == f"Hit error(s): [{EXISTS}]"


def test_what_the_store_left_undone_is_named() -> None:
    report = Report(done=[A], broken_off="etcd at http://a does not answer: timeout")
    with pytest.raises(click.ClickException) as raised:
        tell(CREATE, [A, B, NODE], report)
    assert raised.value.message == (
        "Hit error(s): [BGPPeer(b): etcd at http://a does not answer: timeout, Node(n) was not tried]"
    )


def test_a_dry_run_prints_the_objects_alone(capsys: pytest.CaptureFixture[str]) -> None:
    tell(CREATE, [A], Report(done=[A], dry=["# BGPPeer(a): would be created\nkind: BGPPeer\n"]), dry_run=True)
    printed = capsys.readouterr()
    assert printed.out == "# BGPPeer(a): would be created\nkind: BGPPeer\n"
    assert printed.err == "1 'BGPPeer' resource(s) would be created\n"
