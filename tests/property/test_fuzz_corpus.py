"""The octets that fuzzing found worth keeping, each through the target it was found for."""

import pytest

from tests.fuzz.targets import CORPUS, TARGETS

FILES_MAX, OCTETS_MAX = 300, 200 * 1024
"""For each target; `python -m tests.fuzz --merge` keeps what reaches more code than the others."""


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_found_holds_what_the_target_promises(target: str) -> None:
    files = sorted((CORPUS / target).iterdir())
    assert files
    for file in files:
        try:
            TARGETS[target](file.read_bytes())
        except Exception as error:
            error.add_note(f"tests/fuzz/corpus/{target}/{file.name}")
            raise


def test_the_corpus_is_of_these_targets_and_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    for folder in CORPUS.iterdir():
        sizes = [file.stat().st_size for file in folder.iterdir()]
        assert len(sizes) <= FILES_MAX
        assert sum(sizes) <= OCTETS_MAX
