# ruff: noqa: INP001 - a script on its own, no part of a package
"""Generate `felixbgp/_pb` from every .proto below this folder.

    uv run --no-project --python 3.11 --with grpcio-tools==1.62.3 protos/generate.py
    # or: python3 -m venv /tmp/protoc; /tmp/protoc/bin/pip install grpcio-tools==1.62.3 'setuptools<70'
    #     /tmp/protoc/bin/python protos/generate.py

grpcio-tools 1.62.3 writes protobuf 4.25 code, the last kind without a check of the runtime's version: it
loads on every protobuf from 4.25 to 7. Newer tools write code that refuses older runtimes.

`protos/etcd/kv.proto` becomes the module `felixbgp._pb.etcd.kv_pb2`, and the descriptor pool knows it as
`felixbgp/_pb/etcd/kv.proto`: file names in the pool are global to the process, and every second project has a
`kv.proto` or a `rpc.proto`.
"""

import importlib.metadata
import re
import sys
import tempfile
from pathlib import Path

TOOLS_VERSION = "1.62.3"
REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "protos"
TARGET = Path("felixbgp", "_pb")
IMPORT = re.compile(r'^import "(?!google/)(?P<path>[^"]+)";$', re.MULTILINE)


def stage(directory: Path) -> list[Path]:
    """Copy the sources to `directory` under their package's path; return their paths relative to it."""
    staged = []
    for source in sorted(SOURCE.rglob("*.proto")):
        relative = TARGET / source.relative_to(SOURCE)
        target = directory / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(IMPORT.sub(rf'import "{TARGET}/\g<path>";', source.read_text()))
        staged.append(relative)
    return staged


def make_packages(staged: list[Path]) -> None:
    """Give every folder of generated modules an `__init__.py`."""
    for folder in {
        parent for path in staged for parent in path.parents if TARGET in (parent, *parent.parents)
    }:
        init = REPOSITORY / folder / "__init__.py"
        init.parent.mkdir(parents=True, exist_ok=True)
        if not init.exists():
            init.write_text(
                f'"""Generated from protos/{folder.relative_to(TARGET)} by protos/generate.py."""\n'
            )


def main() -> int:
    """Run protoc over all sources; return its exit status."""
    from grpc_tools import protoc  # noqa: PLC0415 - checked first, so that a missing tool gives a plain message

    with tempfile.TemporaryDirectory() as staging:
        staged = stage(Path(staging))
        make_packages(staged)
        includes = Path(protoc.__file__).parent / "_proto"
        return int(
            protoc.main(
                [
                    "protoc",
                    f"--proto_path={staging}",
                    f"--proto_path={includes}",
                    f"--python_out={REPOSITORY}",
                    f"--pyi_out={REPOSITORY}",
                    *map(str, staged),
                ]
            )
        )


if __name__ == "__main__":
    try:
        installed = importlib.metadata.version("grpcio-tools")
    except importlib.metadata.PackageNotFoundError:
        installed = "none"
    if installed != TOOLS_VERSION:
        sys.exit(f"grpcio-tools {TOOLS_VERSION} is needed, {installed} is installed")
    sys.exit(main())
