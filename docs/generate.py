"""The reference, made of the code: `python -m docs.generate` writes docs/reference/.

Meanings of fields are the texts below them in felixbgp/resources/; of commands and settings, their help; of
metrics, spans and causes, their tables. tests/docs/test_reference.py compares the pages with what this makes.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
from pydantic_core import PydanticUndefined

from felixbgp.agent import readiness
from felixbgp.cli.agent import agent
from felixbgp.cli.main import VERBS, cli
from felixbgp.cli.options import parameter_name
from felixbgp.resources import (
    BgpConfiguration,
    BgpFilter,
    BgpPeer,
    CalicoNodeStatus,
    IpPool,
    Node,
    WorkloadEndpoint,
    base,
    bgp_configuration,
    bgp_filter,
    bgp_peer,
    calico_node_status,
    ip_pool,
    node,
    values,
    workload_endpoint,
)
from felixbgp.resources.base import Metadata, Resource, Value
from felixbgp.resources.keys import PLURALS
from felixbgp.runtime.settings import SETTINGS
from felixbgp.runtime.telemetry_catalogue import METRICS
from felixbgp.runtime.telemetry_spans import SPANS
from felixbgp.status.cause import EXPLANATIONS

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- Made by `python -m docs.generate` from the code; change it there. -->\n"
KINDS: tuple[tuple[type[Resource], ModuleType], ...] = (
    (BgpPeer, bgp_peer),
    (BgpConfiguration, bgp_configuration),
    (BgpFilter, bgp_filter),
    (Node, node),
    (IpPool, ip_pool),
    (CalicoNodeStatus, calico_node_status),
    (WorkloadEndpoint, workload_endpoint),
)
WORDS = {
    "StrictStr": "text",
    "StrictBool": "boolean",
    "StrictInt": "integer",
    "JsonValue": "anything",
    "AsNumber": "AS number: 1 to 4294967295, or `high.low` in quotes",
    "IpAddress": "IP address",
    "Ipv4Address": "IPv4 address",
    "Ipv6Address": "IPv6 address",
    "Cidr": "CIDR without host bits, or an address",
    "HostPrefix": "address, or its /32 or /128",
    "Ipv4InterfaceAddress": "IPv4 address, with or without a prefix length",
    "Ipv6InterfaceAddress": "IPv6 address, with or without a prefix length",
    "PeerIp": "IP address, `IPv4:port` or `[IPv6]:port`",
    "SelectorText": "selector",
    "Duration": "duration, such as `90s` or `1m30s`",
    "Community": "community: `aa:nn` of 16 bits each, or `aa:nn:mm` of 32 bits each",
    "CommunityText": "community: `aa:nn` of 16 bits each, or `aa:nn:mm` of 32 bits each",
    "MacAddress": "MAC address",
    "Name": "name",
    "Namespace": "name",
}
"""Types whose bounds are not numbers."""


RESOURCES = """# Resources

Every object has `apiVersion: projectcalico.org/v3`, its `kind`, `metadata` and, but for some, `spec`. In
etcd it is one key, `/calico/resources/v3/projectcalico.org/PLURAL/NAME`, of a kind with namespaces
`…/PLURAL/NAMESPACE/NAME`. A field that no table names is an error when an object is written, and kept when
it is stored already. Where a default is not shown, the meaning tells it.
"""
COMMANDS = """Every command has `-h` and `--help`. Exit codes: 0, it is done; 1, it failed; 2, wrong usage;
130, interrupted. Those of `plan`, `node audit` and `lab probe` mean more, as below.
"""
SETTINGS_TEXT = """# Settings of the agent

A flag wins over the environment, the environment over the file `/etc/felixbgp/agent.toml`. In the file
`status.address` is `address` in the table `[status]`. `--config FILE` names another file, also one of
calicoctl's (`kind: CalicoAPIConfig`). `DATASTORE_TYPE`, where it is set, must be `etcdv3`. The settings of
etcd are those of all other commands, too.

"""
STATUS = """# Causes

## Why a session is not Established

`cause` of a peer in the status of a node is one of these, and no other. [Status](../status.md) says where
they are shown.

"""
NOT_READY = """
## Why a node is not ready

`/readiness` answers 503 with one or more of these.

"""
TELEMETRY = """# Metrics and spans

[Traces, metrics, logs](../telemetry.md) says how to switch them on and how to read them.

## Metrics

"""


class Field(NamedTuple):
    """A field as its class has it: its type as it is written, and the text below it."""

    annotation: ast.expr
    text: str


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


def pages() -> dict[str, str]:
    """Every page by its file name."""
    made = {
        "resources.md": resources(),
        "commands.md": commands(),
        "agent.md": settings(),
        "status.md": status(),
        "telemetry.md": telemetry(),
    }
    return {name: f"{NOTICE}\n{text.rstrip()}\n" for name, text in made.items()}


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heads)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    """Text as code, unless there is none."""
    return f"`{text}`" if text else ""


# ---- resources


def resources() -> str:
    """Every field of every kind."""
    parts = [RESOURCES]
    told: set[type[Value]] = set()
    for kind, module in KINDS:
        name = kind.model_fields["kind"].annotation
        word = re.sub(r".*\['(\w+)'\]", r"\1", str(name))
        parts.append(f"## {word}\n\n{inspect.getdoc(kind)} Plural: `{PLURALS[word]}`.\n")
        for part in ("spec", "status"):
            model = _model_of(kind, part)
            if model is not None:
                parts += _objects(model, module, f"{word}.{part}", told)
    parts.append("## Metadata\n")
    parts += _objects(Metadata, base, "metadata", told)
    return "\n".join(parts)


def _model_of(model: type[Value], field: str) -> type[Value] | None:
    info = model.model_fields.get(field)
    found = re.findall(r"\w+", "" if info is None else str(info.annotation))
    return next((each for each in _all_models() if each.__name__ in found), None)


def _all_models() -> list[type[Value]]:
    modules = (base, *(module for _, module in KINDS))
    return [
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Value)
    ]


def _objects(model: type[Value], module: ModuleType, title: str, told: set[type[Value]]) -> Iterator[str]:
    """An object's table, then those of the objects in it that were not told of before."""
    if model in told:
        return
    told.add(model)
    fields = _fields(model)
    rows, inner = [], []
    for name, info in model.model_fields.items():
        field = fields[name]
        spelled = model.spelling(name)
        words, nested = _type(field.annotation, module)
        rows.append((f"`{spelled}`", words, _default(info.default, required=info.is_required()), field.text))
        if nested is not None and nested not in (Metadata, model):
            inner.append((nested, f"{title}.{spelled}"))
    yield f"### {title}\n\n{table(('field', 'type', 'default', 'meaning'), rows)}"
    for nested, where in inner:
        yield from _objects(nested, module, where, told)


def _fields(model: type[Value]) -> dict[str, Field]:
    """The fields of a class and of those it is made of, as the source has them."""
    found: dict[str, Field] = {}
    for each in reversed(model.__mro__):
        if not issubclass(each, Value) or each is Value:
            continue
        body = ast.parse(inspect.getsource(each)).body[0]
        assert isinstance(body, ast.ClassDef)
        for item, after in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                found[item.target.id] = Field(item.annotation, _text(after))
    return found


def _text(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def _type(annotation: ast.expr, module: ModuleType) -> tuple[str, type[Value] | None]:
    """A type in words, and the object that it is or holds."""
    match annotation:
        case ast.BinOp(left=left):
            return _type(left, module)
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, bound])):
            words, nested = _type(inner, module)
            return f"{words}, {_entries(bound)}", nested
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[inner, _])):
            words, nested = _type(inner, module)
            return f"list of: {words}", nested
        case ast.Subscript(value=ast.Name(id="dict")):
            return "map of texts", None
        case ast.Name(id=name):
            return _named(name, module)
        case _:
            raise TypeError(ast.unparse(annotation))


def _entries(bound: ast.expr) -> str:
    """`entries(1, 10)` in words."""
    low, high = re.findall(r"[0-9]+", ast.unparse(bound))
    return f"{low} entry" if low == high else f"{low} to {high} entries"


def _named(name: str, module: ModuleType) -> tuple[str, type[Value] | None]:
    found = vars(module).get(name, vars(base).get(name))
    if isinstance(found, type) and issubclass(found, Value):
        return "object", found
    if isinstance(found, type) and issubclass(found, Enum):
        return ", ".join(f"`{each.value}`" for each in found), None
    return WORDS.get(name) or _bounded(name), None


def _bounded(name: str) -> str:
    """A type of felixbgp.resources.values with the bounds that it is declared with."""
    source = inspect.getsource(values)
    declared = next(
        item
        for item in ast.parse(source).body
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == name
    )
    call = next(each for each in ast.walk(declared) if isinstance(each, ast.Call))
    arguments = [ast.literal_eval(each) for each in call.args]
    if ast.unparse(call.func) == "_whole_number":
        return f"integer, {arguments[0]} to {arguments[1]}"
    return f"text: {str(arguments[1]).removeprefix('is not a ').removeprefix('is not an ')}"


def _default(default: object, *, required: bool) -> str:
    if required:
        return "required"
    if isinstance(default, Enum):
        default = default.value
    if default is None or default is PydanticUndefined or default in ((), {}):
        return ""
    return code(str(default).lower() if isinstance(default, bool) else ", ".join(_names(default)))


def _names(default: object) -> list[str]:
    entries = default if isinstance(default, tuple) and not hasattr(default, "_fields") else (default,)
    return [str(each.value if isinstance(each, Enum) else each) for each in entries]


# ---- commands and settings


def commands() -> str:
    """Every verb, with its options."""
    parts = [
        "# Commands\n",
        table(("command", ""), ((_link(name), verb.summary) for name, verb in VERBS.items())),
    ]
    context = click.Context(cli, info_name="felixbgp")
    parts.append(COMMANDS)
    for name in sorted(VERBS):
        command = cli.get_command(context, name)
        assert command is not None
        parts += _command(command, f"felixbgp {name}", 2)
    return "\n".join(parts)


def _link(name: str) -> str:
    return f"[`{name}`](#felixbgp-{name})"


def _command(command: click.Command, path: str, level: int) -> Iterator[str]:
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    usage = " ".join([path, "[OPTIONS]", *(_argument(each) for each in arguments)])
    yield f"{'#' * level} {path}\n\n{_help(command)}\n\nUsage: `{usage}`\n"
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if options:
        yield table(("option", "default", ""), (_option(each) for each in options))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _command(inner, f"{path} {name}", level + 1)


def _argument(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    if argument.nargs != 1 and "…" not in name and "..." not in name:
        name += "..."
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _help(command: click.Command) -> str:
    """The help as Markdown: paragraphs, and blocks that click shall not wrap as they are."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    told = []
    for each in paragraphs:
        kept = each.lstrip().startswith("\b")
        text = each.replace("\b\n", "")
        told.append(_block(text) if kept else re.sub(r"(?<![`\w])<(\w+)>", r"`<\1>`", " ".join(text.split())))
    return "\n\n".join(told)


def _block(text: str) -> str:
    first, _, rest = text.partition("\n")
    if first.endswith(":") and rest:
        return f"{first}\n\n```text\n{inspect.cleandoc(rest)}\n```"
    return f"```text\n{inspect.cleandoc(text)}\n```"


def _option(option: click.Option) -> tuple[str, str, str]:
    names = ", ".join([*option.opts, *option.secondary_opts])
    form = "" if option.is_flag or option.count else f" {_form(option)}"
    has_default = option.show_default and option.default is not None
    default = str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
    return code(names + form), code(default) if has_default else "", _plain(option.help or "")


def _form(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    if isinstance(option.type, click.IntRange | click.FloatRange):
        return f"{option.type.min}..{'' if option.type.max is None else option.type.max}"
    return option.type.name.upper()


def _plain(text: str) -> str:
    """Angle brackets would be taken for HTML."""
    return re.sub(r"<(\w+)>", r"`<\1>`", " ".join(text.split()))


def settings() -> str:
    """Every setting of the agent, under each of its names."""
    helps = {each.name: each.help or "" for each in agent.params if isinstance(each, click.Option)}
    rows = [
        (
            code(one.name),
            code(one.variable),
            code(one.flag),
            _plain(one.text or helps[parameter_name(one)].partition("  [env:")[0]),
        )
        for one in SETTINGS
    ]
    return SETTINGS_TEXT + table(("file", "environment", "flag", ""), rows)


# ---- status and telemetry


def status() -> str:
    """The closed lists of causes."""
    causes = [(code(cause.value), each.text, each.remedy) for cause, each in EXPLANATIONS.items()]
    module = ast.parse(inspect.getsource(readiness.ReadinessCause)).body[0]
    assert isinstance(module, ast.ClassDef)
    texts = {
        ast.unparse(item.targets[0]): _text(after)
        for item, after in zip(module.body, [*module.body[1:], None], strict=True)
        if isinstance(item, ast.Assign)
    }
    reasons = [(code(one.value), texts[one.name]) for one in readiness.ReadinessCause]
    return (
        STATUS
        + table(("cause", "what it says", "what to do"), causes)
        + NOT_READY
        + table(("cause", "what it says"), reasons)
    )


def telemetry() -> str:
    """Every metric and span."""
    metrics = [
        (
            code(one.name),
            code(one.prometheus_name),
            one.kind,
            one.unit,
            ", ".join(map(code, one.attributes)),
            one.text,
        )
        for one in METRICS
    ]
    spans = [(code(one.name), one.text, one.attributes) for one in SPANS]
    return (
        TELEMETRY
        + table(("OpenTelemetry", "Prometheus", "kind", "unit", "attributes", ""), metrics)
        + "\nA histogram has `_bucket`, `_sum` and `_count` in Prometheus.\n\n## Spans\n\n"
        + table(("span", "from when to when", "attributes"), spans)
    )


if __name__ == "__main__":
    main()
