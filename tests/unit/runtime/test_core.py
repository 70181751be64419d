"""The form of the core that is told of is the one that runs."""

from types import FunctionType

from click.testing import CliRunner

from felixbgp.bgp.rib.decision import best_path
from felixbgp.cli.main import cli
from felixbgp.fib.fib import Fib
from felixbgp.net.trie import PrefixTrie
from felixbgp.runtime.core import core_form


def test_all_of_the_core_runs_in_the_form_that_is_told() -> None:
    functions = (best_path, Fib.want, PrefixTrie.get)
    interpreted = {isinstance(getattr(one, "__func__", one), FunctionType) for one in functions}
    assert interpreted == {core_form() == "interpreted"}


def test_version_tells_it() -> None:
    told = CliRunner().invoke(cli, ["version", "--client"]).output.splitlines()
    assert told[2] == f"Client Core:       {core_form()}"
