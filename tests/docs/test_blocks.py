"""How pages are read as commands, and that every block of every page is of a kind that is known."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_pages import NOT_TYPED, Shell, follow
from tests.support.pages import (
    COMMANDS,
    FILES,
    ROOT,
    TEXTS,
    Command,
    File,
    PageError,
    blocks,
    is_as_shown,
    pages,
    steps,
)

PAGE = """
Write `peer.yaml`:

```yaml title="peer.yaml"
kind: BGPPeer
```

```sh
felixbgp apply \\
  -f peer.yaml
cat <<'END'
a

b
END
true
```

```console
$ felixbgp get bgppeers \\
>   -o wide
NAME
one

$ false
error: no
```

```text
$ this is no command
```
"""


def test_files_commands_and_outputs_in_the_order_of_the_page() -> None:
    assert steps(PAGE) == [
        File(4, "peer.yaml", "kind: BGPPeer\n"),
        Command(9, "felixbgp apply \\\n  -f peer.yaml", None),
        Command(11, "cat <<'END'\na\n\nb\nEND", None),
        Command(16, "true", None),
        Command(20, "felixbgp get bgppeers \\\n  -o wide", "NAME\none\n"),
        Command(25, "false", "error: no"),
    ]
    assert [step.is_to_fail for step in steps(PAGE) if isinstance(step, Command)] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "page",
    ["```sh\ncat <<END\n```\n", "```sh\ntrue \\\n```\n", "```console\nno prompt\n```\n", "```sh\ntrue\n"],
)
def test_a_page_that_cannot_be_followed_is_refused(page: str) -> None:
    with pytest.raises(PageError):
        steps(page)


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        ("a\nb", "a  \nb\n\n", True),
        ("a\nb", "a\nc\n", False),
        ("a", "a\nb\n", False),
        ("", "", True),
        ("", "a\n", False),
        ("since …, up", "since 12:00:03, up\n", True),
        ("since …, up", "since 12:00:03, down\n", False),
        ("since …, up", "since 12\n:00, up\n", False),
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a\n…\nd", "a\nd\n", True),
        ("a\n…\nd", "a\nb\n", False),
        ("a.c", "abc\n", False),
    ],
)
def test_three_dots_stand_for_any_text_or_any_lines(shown: str, printed: str, *, is_same: bool) -> None:
    assert is_as_shown(shown, printed) is is_same


def every_block() -> Iterator[tuple[Path, int, str, str, str]]:
    for page in pages():
        for block in blocks(page.read_text()):
            yield page.relative_to(ROOT), block.line, block.language, block.title, block.text


def test_every_block_says_what_it_is() -> None:
    """An unknown kind would be a way to leave a command out."""
    wrong = [
        f"{page}:{line}: {language!r}"
        for page, line, language, _, _ in every_block()
        if language not in (*COMMANDS, *TEXTS)
    ]
    assert wrong == []


def test_no_command_is_shown_as_mere_text() -> None:
    wrong = [
        f"{page}:{line}"
        for page, line, language, _, text in every_block()
        if language not in COMMANDS
        and str(page) not in NOT_TYPED
        and any(each.lstrip().startswith(("$ ", "# felixbgp", "felixbgp ")) for each in text.splitlines())
    ]
    assert wrong == []


def test_no_command_hides_in_an_indented_block() -> None:
    wrong = [
        f"{page.relative_to(ROOT)}:{number}"
        for page in pages()
        for number, line in enumerate(page.read_text().splitlines(), start=1)
        if line.startswith(("    felixbgp ", "    $ ", "    ansible", "    etcdctl "))
        and str(page.relative_to(ROOT)) not in NOT_TYPED
        and not any(
            block.line <= number <= block.line + block.text.count("\n") for block in blocks(page.read_text())
        )
    ]
    assert wrong == []


def test_the_yaml_of_a_page_is_what_its_commands_use() -> None:
    wrong = []
    for page in pages():
        if page.parent.name != "how-to":
            continue
        text = page.read_text()
        typed = "\n".join(step.text for step in steps(text) if isinstance(step, Command))
        wrong += [
            f"{page.relative_to(ROOT)}:{block.line}"
            for block in blocks(text)
            if block.language in FILES and (not block.title or block.title not in typed)
        ]
    assert wrong == []


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("```sh\nfelixbgp apli -f peer.yaml\n```", "exit status 2"),
        ("```sh\ntrue\nfalse\ntrue\n```", "README.md:3: false\nexit status 1"),
        ("```console\n$ echo there\nhere\n```", "printed:\nthere\n\nshown:\nhere"),
        ("```console\n$ echo here\n```", "printed:\nhere"),
        ("```console\n$ echo error: no\nerror: no\n```", "exit status 0"),
        ("```console\n$ echo here; false\nhere\n```", "exit status 1"),
        ("```sh\nexit 0\n```", "the shell ended"),
    ],
)
def test_a_page_with_a_wrong_command_or_a_wrong_output_fails(tmp_path: Path, page: str, fault: str) -> None:
    shell = Shell(tmp_path, "none")
    with pytest.raises(AssertionError, match=re.escape(fault)):
        follow(shell, tmp_path, ROOT / "README.md", steps(page))
    shell.end()


def test_what_a_page_exports_and_writes_counts_for_its_next_commands(tmp_path: Path) -> None:
    page = """
```yaml title="peer.yaml"
kind: BGPPeer
```

```sh
export WORD=here
mkdir inner
cd inner
```

```console
$ echo $WORD; cat ../peer.yaml
here
kind: BGPPeer
$ cat missing || echo 'error: none'; false
…
error: none
```
"""
    shell = Shell(tmp_path, "none")
    follow(shell, tmp_path, ROOT / "README.md", steps(page))
    shell.end()
