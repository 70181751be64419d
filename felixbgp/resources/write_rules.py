"""TEMP"""

from collections.abc import Mapping

from felixbgp.resources.decode import AnyResource
from felixbgp.resources.errors import FieldError
from felixbgp.resources.keys import ResourceKey


def write_errors(
    resource: AnyResource, stored: AnyResource | None, others: Mapping[ResourceKey, AnyResource]
) -> list[FieldError]:
    """TEMP."""
    return []
