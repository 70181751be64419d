"""Which etcd a command speaks to: a named context, or what flags, environment and files say.

A context stands alone: with it the environment is not asked, but for ETCD_PASSWORD when the context names a
user without a password. So no user, password or certificate of one cluster is ever shown to another.

In order: `--context` or FELIXBGP_CONTEXT; `--etcd-endpoints` or ETCD_ENDPOINTS; `current_context` of a file;
[etcd] of the first file that has it. The files are `--config` alone, or else ~/.config/felixbgp/config.toml
and /etc/felixbgp/agent.toml; when none of all these says anything, calicoctl's /etc/calico/calicoctl.cfg.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.settings import (
    AGENT_FILE,
    ENDPOINTS,
    KNOWN,
    PASSWORD,
    USERNAME,
    Sources,
    TlsFiles,
    etcd_from,
    tls_from,
)
from felixbgp.runtime.settings_file import SettingsError, SettingsFile, read

CONTEXT_VARIABLE = "FELIXBGP_CONTEXT"
CALICOCTL_FILE = Path("/etc/calico/calicoctl.cfg")
_CLOSED = (FileNotFoundError, NotADirectoryError, PermissionError)
"""What makes one of the usual files count as empty."""


def load_etcd(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    path: Path | None = None,
    context: str | None = None,
) -> EtcdSettings:
    """How a command reaches the store; `path` and `context` are flags too. Raises `SettingsError`.

    A usual file that is not there, or closed to ordinary users because it holds a password, counts as empty.
    """
    files = _files(environ, path)
    named, source = (context, "--context") if context else (environ.get(CONTEXT_VARIABLE), CONTEXT_VARIABLE)
    if named:
        return _of_context(flags, environ, files, named, source)
    pointed = any((flags.get(ENDPOINTS.name), environ.get(ENDPOINTS.variable)))
    for file in files:
        if file.current_context and not pointed:
            where = f"{file.path}: current_context"
            return _of_context(flags, environ, files, file.current_context, where)
    telling = next((file for file in files if file.tells_of_etcd), None)
    if telling is None:
        # calicoctl's file comes last, and is not looked at when it is not needed: it may be for Kubernetes.
        telling = files[-1] if pointed or path is not None else read(CALICOCTL_FILE, KNOWN, empty_if=_CLOSED)
    return etcd_from(Sources(flags, environ, telling.values, telling.path))


def load_tls(
    flags: Mapping[str, str | None], environ: Mapping[str, str], path: Path | None = None
) -> TlsFiles | None:
    """Our certificate for the status endpoints of agents; None where nobody says. Raises `SettingsError`.

    One place says all three files, in the order of all settings.
    """
    for file in _files(environ, path):
        found = tls_from(Sources(flags, environ, file.values, file.path))
        if found is not None:
            return found
    return None


def context_names(environ: Mapping[str, str], path: Path | None = None) -> list[str]:
    """The contexts there are. Raises `SettingsError`."""
    return sorted({name for file in _files(environ, path) for name in file.contexts})


def user_file(environ: Mapping[str, str]) -> Path | None:
    """The user's own file; None for a process that has no home."""
    folder = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    return Path(folder) / "felixbgp" / "config.toml" if folder else None


def _files(environ: Mapping[str, str], path: Path | None) -> list[SettingsFile]:
    if path is not None:
        return [read(path, KNOWN)]
    own = user_file(environ)
    usual = (AGENT_FILE,) if own is None else (own, AGENT_FILE)
    return [read(file, KNOWN, empty_if=_CLOSED) for file in usual]


def _of_context(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    files: Sequence[SettingsFile],
    name: str,
    source: str,
) -> EtcdSettings:
    for file in files:
        values = file.contexts.get(name)
        if values is not None:
            allowed = (PASSWORD.variable,) if USERNAME.name in values and PASSWORD.name not in values else ()
            completing = {variable: environ[variable] for variable in allowed if variable in environ}
            return etcd_from(Sources(flags, completing, values, file.path))
    known = sorted({context for file in files for context in file.contexts})
    where = " or ".join(str(file.path) for file in files)
    there = f"there are: {', '.join(known)}" if known else f"there is none in {where}"
    raise SettingsError(f"{source}: no context {name!r}; {there}")
