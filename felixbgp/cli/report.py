"""How a command that writes goes, object by object. It is true at any time, whatever ends the command."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from felixbgp.cli.store import NoAnswerError, StoreError
from felixbgp.resources import ResourceKey


@dataclass(slots=True)
class Report:
    """Each object is in at most one of the lists of keys; in none of them is what was not tried."""

    done: list[ResourceKey] = field(default_factory=list)
    skipped: list[ResourceKey] = field(default_factory=list)
    errors: list[tuple[ResourceKey, str]] = field(default_factory=list)
    unknown: list[ResourceKey] = field(default_factory=list)
    """Those whose write is on its way, or was never answered."""
    dry: list[str] = field(default_factory=list)
    """With --dry-run: what would be written, as YAML."""
    broken_off: str = ""
    """Why no more objects were tried, when the store is to blame."""

    @property
    def has_written(self) -> bool:
        """Whether something was written, or may have been."""
        return bool(self.done or self.unknown) and not self.dry

    def settle(self, keys: Sequence[ResourceKey], where: list[ResourceKey]) -> None:
        """These came out well; `where` is one of the lists."""
        where += keys
        self.unknown = [key for key in self.unknown if key not in keys]

    def fail(self, key: ResourceKey, reason: str) -> None:
        """This one did not."""
        self.errors.append((key, reason))
        self.unknown = [each for each in self.unknown if each != key]

    async def send(self, keys: Sequence[ResourceKey], write: Awaitable[bool]) -> bool:
        """Wait for a write of these; gives whether it was done. Raises `StoreError`."""
        before = self.unknown
        self.unknown = [*before, *(key for key in keys if key not in before)]
        try:
            done = await write
        except NoAnswerError:
            raise
        except StoreError:
            self.unknown = before
            raise
        if done:
            self.settle(keys, self.done)
        else:
            self.unknown = before
        return done
