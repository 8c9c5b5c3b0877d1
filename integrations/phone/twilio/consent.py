"""How somebody agreed to be recorded: it goes along in the addresses of the callbacks that we give Twilio, which its signature
covers, and comes back with the recording."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

WAYS = ("announced", "pressed")


@dataclass(frozen=True)
class Consent:
    way: Literal["announced", "pressed"]
    language: str
    at: datetime
    said: str
    """What they were told before."""

    def to_query(self) -> dict[str, str]:
        at = self.at.astimezone(UTC).isoformat(timespec="seconds")
        return {"consent": self.way, "language": self.language, "at": at, "said": self.said}

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self | None:
        """None where nobody has agreed."""
        way = query.get("consent")
        if way not in WAYS or not query.get("said"):
            return None
        try:
            at = datetime.fromisoformat(query["at"])
        except (KeyError, ValueError):
            return None
        return cls(
            "pressed" if way == "pressed" else "announced", query.get("language", ""), at, query["said"]
        )

    def evidence(self) -> str:
        how = "pressed 1" if self.way == "pressed" else "was told and stayed"
        return f"{how}, {self.at.isoformat(timespec='seconds')}, {self.language}: {self.said}"
