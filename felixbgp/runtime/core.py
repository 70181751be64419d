"""In which form the core runs: compiled or interpreted. It is one source, but not one speed."""

from importlib.util import find_spec


def core_form() -> str:
    """`compiled` or `interpreted`: what was built is either all compiled or not at all (see setup.py)."""
    found = find_spec("felixbgp.bgp.speaker")
    is_source = found is None or found.origin is None or found.origin.endswith(".py")
    return "interpreted" if is_source else "compiled"
