"""Who runs this command, for those who read what it asked for."""

import os
import socket


def origin() -> str:
    """The user, if the environment names one, and this host: `operator@admin-1`."""
    return f"{os.environ.get('USER', '')}@{socket.gethostname()}".removeprefix("@")
