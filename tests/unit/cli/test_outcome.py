"""What the verbs that write tell."""

import io
from errno import ENOSPC

import click
import pytest

from felixbgp.cli.outcome import NAMED_MAX, Words, tell, told_when_broken_off
from felixbgp.cli.report import Report
from felixbgp.resources import ResourceKey

CREATE = Words("create", "created", "of them existed already")
DELETE = Words("delete", "deleted", "of them did not exist", one_by_one=True)
A, B, NODE = ResourceKey("BGPPeer", "a"), ResourceKey("BGPPeer", "b"), ResourceKey("Node", "n")
MANY = [ResourceKey("BGPPeer", f"p{number:02}") for number in range(NAMED_MAX + 5)]
EXISTS = "resource already exists: BGPPeer(a)"


def failure(words: Words, wanted: list[ResourceKey], report: Report, *, verbose: bool = False) -> str:
    with pytest.raises(click.ClickException) as raised:
        tell(words, wanted, report, verbose=verbose)
    return raised.value.message


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


def test_what_was_skipped_counts_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    tell(CREATE, [A, B], Report(done=[A], skipped=[B]))
    text = "Successfully created 2 'BGPPeer' resource(s) (1 of them existed already)\n"
    assert capsys.readouterr().out == text


def test_every_object_is_named_when_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    tell(CREATE, MANY, Report(done=MANY), verbose=True)
    assert capsys.readouterr().out.count("\n  BGPPeer(p") == len(MANY)


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
    assert failure(CREATE, wanted, Report(errors=errors)) == text


class FullOutput(io.StringIO):
    """Standard output on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(ENOSPC, text)


def test_what_standard_output_does_not_take_is_told_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", FullOutput())
    with pytest.raises(OSError):  # noqa: PT011 - whatever it is, the command ends with it
        tell(CREATE, [A], Report(done=[A]))
    assert capsys.readouterr().err == "Successfully created 1 'BGPPeer' resource(s)\n"
    half = "Partial success: created 1 out of 2 'BGPPeer' resources:\n  BGPPeer(b)\n"
    assert failure(CREATE, [A, B], Report(done=[B], errors=[(A, EXISTS)])) == f"Hit error(s): [{EXISTS}]"
    assert capsys.readouterr().err == half
    with (
        pytest.raises(KeyboardInterrupt),
        told_when_broken_off(CREATE, [A, B], Report(done=[B]), verbose=False),
    ):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == f"{half}error: not tried: BGPPeer(a)\n"


def test_what_is_half_done_names_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    told = failure(CREATE, [A, B, NODE], Report(done=[B, NODE], errors=[(A, EXISTS)]))
    printed = capsys.readouterr().out
    assert printed == "Partial success: created 2 out of 3 resources:\n  BGPPeer(b)\n  Node(n)\n"
    assert told == f"Hit error(s): [{EXISTS}]"


def test_failures_to_delete_are_sentences_beside_the_successes(capsys: pytest.CaptureFixture[str]) -> None:
    told = failure(DELETE, [A, B, NODE], Report(done=[B], errors=[(A, "no"), (NODE, "neither")]))
    assert capsys.readouterr().out == "Successfully deleted 1 resource(s)\n  BGPPeer(b)\n"
    assert told == ("Failed to delete resource: BGPPeer(a): no\nFailed to delete resource: Node(n): neither")


def test_of_many_the_first_are_named_and_counted_unless_all_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report(done=[A, *MANY], errors=[(key, "no") for key in MANY])
    told = failure(CREATE, [A, *MANY, *MANY], report)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == NAMED_MAX + 2
    assert printed[-1] == "  and 6 more (-v tells all)"
    assert told.splitlines()[0] == "Hit error(s):"
    assert told.splitlines()[-1] == "and 5 more (-v tells all)"
    assert len(failure(CREATE, [A, *MANY, *MANY], report, verbose=True).splitlines()) == len(MANY) + 1


def test_what_the_store_left_undone_is_named() -> None:
    report = Report(done=[A], unknown=[B], broken_off="etcd at http://a does not answer: timeout")
    assert failure(CREATE, [A, B, NODE], report).splitlines() == [
        "Hit error(s): [etcd at http://a does not answer: timeout]",
        "not known whether created: BGPPeer(b)",
        "not tried: Node(n)",
    ]


def test_an_object_that_was_given_twice_may_have_been_tried_once() -> None:
    report = Report(done=[A], broken_off="gone")
    assert failure(CREATE, [A, A], report).splitlines()[-1] == "not tried: BGPPeer(a)"


def test_whoever_interrupts_learns_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(done=[A], unknown=[B])
    with pytest.raises(KeyboardInterrupt), told_when_broken_off(CREATE, [A, B, NODE], report, verbose=False):
        raise KeyboardInterrupt
    printed = capsys.readouterr()
    assert printed.out == "Partial success: created 1 out of 3 resources:\n  BGPPeer(a)\n"
    assert printed.err == "error: not known whether created: BGPPeer(b)\nerror: not tried: Node(n)\n"


def test_a_command_that_ends_before_it_writes_tells_nothing_of_writing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report(errors=[(A, EXISTS)])
    with (
        pytest.raises(click.ClickException),
        told_when_broken_off(CREATE, [A, NODE], report, verbose=False),
    ):
        raise click.ClickException("invalid")
    assert capsys.readouterr() == ("", "")


def test_a_dry_run_prints_the_objects_alone(capsys: pytest.CaptureFixture[str]) -> None:
    tell(CREATE, [A], Report(done=[A], dry=["# BGPPeer(a): would be created\nkind: BGPPeer\n"]), dry_run=True)
    printed = capsys.readouterr()
    assert printed.out == "# BGPPeer(a): would be created\nkind: BGPPeer\n"
    assert printed.err == "1 'BGPPeer' resource(s) would be created; nothing was written\n"


def test_a_dry_run_fails_where_the_command_would(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        click.ClickException, match=r"^Failed to create 'BGPPeer' resource: \[BGPPeer\(a\): no"
    ):
        tell(CREATE, [A], Report(errors=[(A, "no")]), dry_run=True)
    assert capsys.readouterr().out == ""


def test_what_is_told_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in failure(CREATE, [A], Report(errors=[(A, "\x1b[31m")]))
