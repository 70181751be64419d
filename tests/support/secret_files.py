"""A directory of secrets, changed in the ways of those who change such directories."""

from itertools import count
from pathlib import Path

_versions = count(1)


def mount_secret(directory: Path, name: str, key: str, content: bytes) -> None:
    """What kubelet does to a mounted secret: a new directory, and a link to it swapped in at once."""
    secret = directory / name
    version = f"..version_{next(_versions)}"
    (secret / version).mkdir(parents=True)
    (secret / version / key).write_bytes(content)
    (secret / "..data_tmp").symlink_to(version)
    (secret / "..data_tmp").rename(secret / "..data")
    if not (secret / key).is_symlink():
        (secret / key).symlink_to(f"..data/{key}")


def deploy_secret(directory: Path, name: str, key: str, content: bytes) -> None:
    """What a deployment tool does: another file, renamed over the old one."""
    (directory / name).mkdir(parents=True, exist_ok=True)
    temporary = directory / name / f".{key}.tmp"
    temporary.write_bytes(content)
    temporary.rename(directory / name / key)
