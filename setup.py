"""Compile the core with mypyc where that can be done; pyproject.toml says everything else.

The source is the same either way, and so is what it does: compiled it needs about half the time. All of the
core is compiled or none of it. What cannot be compiled (there is no C compiler, say) is installed as it is.

`FELIXBGP_COMPILE=off` leaves it as it is, `FELIXBGP_COMPILE=required` lets the build fail where it cannot be
compiled. An editable installation is never compiled: what was edited would not be what runs.
"""

import contextlib
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Distribution, Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

SWITCH = "FELIXBGP_COMPILE"
GROUP = "felixbgp"
"""The compiled code is in one library, `felixbgp__mypyc`; each module has a small one that leads to it."""
COMPILED = (
    "felixbgp/net",
    "felixbgp/bgp",
    "felixbgp/fib",
    "felixbgp/agent",
    "felixbgp/runtime/netlink/encode.py",
)
INTERPRETED = {
    "felixbgp/net/address.py": "mypyc has no native classes that derive from bytes",
}
TYPES = ("--config-file=", "--follow-imports=silent", "--explicit-package-bases", "--ignore-missing-imports")
"""Not those of pyproject.toml, to which `make check` holds the source: what they need is not there when a
package is built."""

LINE_MAX = 160
"""Of a reason: a compiler that fails is told of with all its options."""


class CompileError(Exception):
    """The core cannot be compiled here; the message says why."""


class CoreDistribution(Distribution):
    """A package whose extensions are found while it is built."""

    def has_ext_modules(self) -> bool:
        """Let `build` come to `build_ext`, which decides."""
        return True


class CleanBuild(build):
    """A build that begins from nothing: what an earlier one left would get into the wheel."""

    def run(self) -> None:
        """Build all parts."""
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class CompileCore(build_ext):
    """Compile the core aside, and take it over when all of it is there."""

    outputs: Sequence[str] = ()

    def run(self) -> None:
        """Compile, or say why not."""
        wish = os.environ.get(SWITCH, "auto")
        if wish not in ("auto", "off", "required"):
            raise SystemExit(f"{SWITCH} is auto, off or required, not {wish!r}")
        if wish == "off" or self.inplace or self.editable_mode:
            _tell(f"the core is not compiled: {f'{SWITCH}=off' if wish == 'off' else 'editable'}")
            return
        try:
            modules = self._compile(Path(self.build_temp).absolute())
        except CompileError as error:
            if wish == "required":
                raise SystemExit(f"felixbgp: the core cannot be compiled: {error}") from error
            _tell(f"the core is not compiled and will run interpreted: {error}")
        else:
            _tell(f"the core is compiled: {modules} modules")

    def get_outputs(self) -> list[str]:
        """The libraries, for whoever lists what was built."""
        return list(self.outputs)

    def _compile(self, temporary: Path) -> int:
        """Returns the number of modules; nothing is in the package before all of them are compiled."""
        staging = temporary / "core"
        shutil.rmtree(staging, ignore_errors=True)
        extensions = _generated(temporary / "c")
        distribution = Distribution({"name": "felixbgp", "ext_modules": extensions})
        inner = Compiler(distribution)
        inner.build_lib, inner.build_temp = str(staging), str(temporary / "o")
        inner.ensure_finalized()
        try:
            inner.run()
        except Exception as error:  # Whatever goes wrong in there, the package runs without.
            raise CompileError(_first_line(error)) from error
        shutil.copytree(staging, self.build_lib, dirs_exist_ok=True)
        libraries = sorted(path.relative_to(staging) for path in staging.rglob("*") if path.is_file())
        self.outputs = [str(Path(self.build_lib) / library) for library in libraries]
        return len(libraries) - 1


class Compiler(build_ext):
    """Runs the C compiler, on all processors."""

    def finalize_options(self) -> None:
        """Several libraries at a time, too."""
        super().finalize_options()
        self.parallel = os.cpu_count() or 1

    def build_extensions(self) -> None:
        """Compile the sources of one library side by side, which setuptools does one after the other."""
        one_by_one = self.compiler.compile

        def side_by_side(sources: Sequence[str], *arguments: Any, **named: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = pool.map(lambda source: one_by_one([source], *arguments, **named), sources)
                return [path for paths in objects for path in paths]

        self.compiler.compile = side_by_side
        super().build_extensions()


class CoreWheel(bdist_wheel):
    """A wheel for this platform if it has compiled code, else one for all."""

    def run(self) -> None:
        """Build first, for only then it is known."""
        self.run_command("build")
        self.skip_build = True
        self.root_is_pure = not self.get_finalized_command("build_ext").get_outputs()
        super().run()


def core_modules() -> Iterator[str]:
    """The files to be compiled, in the order of their names, on which the generated code depends."""
    root = Path(__file__).parent
    for package in COMPILED:
        found = root / package
        for path in sorted(found.rglob("*.py")) if found.is_dir() else [found]:
            name = path.relative_to(root).as_posix()
            if name not in INTERPRETED:
                yield name


def _generated(directory: Path) -> list[Extension]:
    """C from Python. Raises `CompileError`."""
    said = io.StringIO()
    try:
        from mypyc.build import mypycify  # noqa: PLC0415 - it may be missing

        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            extensions: list[Extension] = mypycify(
                [*TYPES, *core_modules()],
                opt_level="2",
                debug_level="0",
                multi_file=True,
                target_dir=str(directory),
                group_name=GROUP,
            )
    except (Exception, SystemExit) as error:  # An error in mypyc itself comes in any form.
        told = [line for line in said.getvalue().splitlines() if "error" in line.lower()]
        raise CompileError(told[0] if told else _first_line(error)) from error
    for extension in extensions:
        extension.extra_compile_args.append("-Wno-error")  # A newer compiler's warning is no error of ours.
    return extensions


def _first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= LINE_MAX else f"{line[: LINE_MAX // 2]} … {line[-LINE_MAX // 2 :]}"


def _tell(text: str) -> None:
    print(f"felixbgp: {text}", flush=True)  # noqa: T201 - what a build says


if __name__ == "__main__":
    setup(
        distclass=CoreDistribution,
        cmdclass={"build": CleanBuild, "build_ext": CompileCore, "bdist_wheel": CoreWheel},
    )
