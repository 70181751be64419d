"""Flags that several verbs have: the settings of `runtime.settings`, and the form of the output."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from felixbgp.runtime.contexts import CONTEXT_VARIABLE, context_names, load_etcd, load_tls
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.settings import (
    AGENT_FILE,
    CA_CERT_FILE,
    CERT_FILE,
    ENDPOINTS,
    KEY_FILE,
    STATUS_CA,
    STATUS_CERT,
    STATUS_KEY,
    USERNAME,
    Setting,
    TlsFiles,
)
from felixbgp.runtime.settings_file import SettingsError

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])

# There is no flag for the password: everybody on the machine can read a process's flags.
_ETCD_HELP = (
    (ENDPOINTS, "URL[,URL…]", "Where etcd is."),
    (CA_CERT_FILE, "FILE", "Authority that signed etcd's certificate."),
    (CERT_FILE, "FILE", "Our certificate for etcd."),
    (KEY_FILE, "FILE", "Its key."),
    (USERNAME, "NAME", "User of etcd; the password comes from ETCD_PASSWORD or the file."),
)


def setting_option(setting: Setting, metavar: str, text: str) -> Callable[[AnyCallable], AnyCallable]:
    """A flag for one setting; its help names the environment variable. That of a switch has no value."""
    form: dict[str, Any] = (
        {"flag_value": "true", "default": None} if setting.is_switch else {"metavar": metavar}
    )
    return click.option(
        setting.flag, parameter_name(setting), help=f"{text}  [env: {setting.variable}]", **form
    )


def parameter_name(setting: Setting) -> str:
    """The setting's name as a Python parameter: `etcd.endpoints` as `etcd_endpoints`."""
    return setting.name.replace(".", "_")


def connection_options(command: AnyCallable) -> AnyCallable:
    """Give a command the flags that say how to reach etcd, and `--config`."""
    command = click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"Settings file, {AGENT_FILE} unless given; also one of calicoctl's.",
    )(command)
    for setting, metavar, text in reversed(_ETCD_HELP):
        command = setting_option(setting, metavar, text)(command)
    return command


def etcd_options(command: AnyCallable) -> AnyCallable:
    """The flags of a command that people type: `connection_options`, and a context."""
    command = click.option("--allow-version-mismatch", is_flag=True, hidden=True)(command)
    return click.option(
        "--context",
        metavar="NAME",
        shell_complete=_complete_context,
        help=f"The etcd that [contexts.NAME] of a settings file tells of.  [env: {CONTEXT_VARIABLE}]",
    )(connection_options(command))


def _complete_context(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's
    try:
        names = context_names(os.environ, ctx.params.get("config"))
    except SettingsError:
        return []
    return [name for name in names if name.startswith(incomplete)]


_TLS_HELP = (
    (STATUS_CA, "FILE", "Authority that signed the certificates of agents; etcd's unless given."),
    (STATUS_CERT, "FILE", "Our certificate for agents."),
    (STATUS_KEY, "FILE", "Its key."),
)


def tls_options(command: AnyCallable) -> AnyCallable:
    """Give a command the flags by which it shows itself to agents."""
    for setting, metavar, text in reversed(_TLS_HELP):
        command = setting_option(setting, metavar, text)(command)
    return command


def tls_files(given: Mapping[str, Any], etcd: EtcdSettings) -> TlsFiles:
    """Our certificate for agents, or else the one for etcd; without any the command ends."""
    flags = flags_of((setting for setting, _, _ in _TLS_HELP), given)
    try:
        found = load_tls(flags, os.environ, given.get("config"))
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if found is not None:
        return found
    if etcd.cert_file is None or etcd.key_file is None or etcd.ca_file is None:
        names = ", ".join(setting.flag for setting, _, _ in _TLS_HELP)
        raise click.ClickException(
            f"agents answer nobody without a certificate; give one ({names}, or [status] of a settings "
            "file), and the agents a status.address to answer at (docs/use.md, Ask the agents)"
        )
    return TlsFiles(etcd.cert_file, etcd.key_file, etcd.ca_file)


def flags_of(settings: Iterable[Setting], given: Mapping[str, Any]) -> dict[str, str | None]:
    """The given parameters by the names that the settings have."""
    return {setting.name: given.get(parameter_name(setting)) for setting in settings}


def etcd_settings(given: Mapping[str, Any]) -> EtcdSettings:
    """How to reach etcd by flags, environment and file; a wrong setting ends the command."""
    flags = flags_of((setting for setting, _, _ in _ETCD_HELP), given)
    try:
        return load_etcd(flags, os.environ, given.get("config"), given.get("context"))
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
