"""What a notification says of one object, whatever shape it came in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Created:
    """An object was created: `key` as the store knows it, `time` (ISO 8601, with its zone) when."""

    bucket: str
    key: str
    time: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something that asks for nothing; `why` in a word or two, fit for a log."""

    why: str


@dataclass(frozen=True, slots=True)
class Own:
    """Where our assets lie: work on one of them would make another one, and so on for ever."""

    bucket: str
    prefix: str

    def holds(self, bucket: str, key: str) -> bool:
        """Whether this object is ours."""
        return bucket == self.bucket and key.startswith(f"{self.prefix}/" if self.prefix else "")
