"""`felixbgp convert`: resources of Calico's API of version 1 as those of version 3."""

from collections.abc import Iterable

import click

from felixbgp.cli.calicoctl import accepted_from_calicoctl
from felixbgp.cli.files import texts
from felixbgp.cli.form_options import output_option
from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.table import printable
from felixbgp.resources.decode import validate
from felixbgp.resources.documents import load_plain_documents
from felixbgp.resources.errors import FieldError
from felixbgp.resources.v1 import convert as converted

Object = dict[str, object]


@click.command()
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="YAML or JSON file of version 1, folder of such files, or - for standard input. May be repeated.",
)
@click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@output_option("yaml", "json")
@click.option("--ignore-validation", is_flag=True, help="Print also what breaks the rules of version 3.")
@accepted_from_calicoctl
def convert(files: tuple[str, ...], recursive: bool, output: str, ignore_validation: bool) -> None:
    """Bring node, ipPool and bgpPeer of Calico's v1 API, as calicoctl 1.x wrote them, into v3.

    \b
    Examples:
      felixbgp convert -f old-peers.yaml > peers.yaml
      cat old-peers.yaml | felixbgp convert -f - -o json
    """  # noqa: D301 - \b tells click not to wrap
    resources, faults = _convert(texts(files, recursive=recursive), ignore_validation=ignore_validation)
    if faults:
        raise click.ClickException("\n".join(faults))
    if not resources:
        raise click.ClickException(f"no resource in {', '.join(files)}")
    printed: object = resources[0] if len(resources) == 1 else resources
    click.echo(as_json(printed) if output == "json" else as_yaml(printed), nl=False)


def _convert(given: Iterable[tuple[str, str]], *, ignore_validation: bool) -> tuple[list[Object], list[str]]:
    """What was converted of files, each with its name, and a line for each fault."""
    resources: list[Object] = []
    faults: list[str] = []
    for name, text in given:
        for plain in load_plain_documents(text):
            made = list(plain.errors) or converted(plain.value)
            if isinstance(made, dict):
                resources.append(made)
                made = [] if ignore_validation else _broken(made)
            faults += [printable(f"{name}: {plain}: {fault}") for fault in made]
    return resources, faults


def _broken(made: Object) -> list[FieldError]:
    """What of version 3's rules the converted resource breaks."""
    checked = validate(made)
    if not isinstance(checked, list):
        return []
    reason = "is converted to something that version 3 refuses; --ignore-validation prints it all the same"
    return [*checked, FieldError("", "", reason)]
