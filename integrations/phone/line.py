"""What a phone line needs to be told."""

from typing import ClassVar

from pydantic import SecretStr

from domain.contacts import IdentityKind, normalised
from integrations.keeping import ChannelSettings


class PhoneLine(ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"key"})

    number: str
    region: str | None = None
    """Two letters, to read national numbers."""
    key: SecretStr
    """Signs the PBX's events, or is the token in their address."""

    def doors(self, slug: str) -> dict[str, str]:
        return {"signed": f"/hooks/phone/{slug}", "with the key": f"/hooks/phone/{slug}/{{key}}"}

    def place(self) -> str:
        return normalised(IdentityKind.PHONE, self.number, region=self.region)
