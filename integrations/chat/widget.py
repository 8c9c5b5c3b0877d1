"""What a chat widget needs to be told."""

from typing import ClassVar

from pydantic import SecretStr, field_validator

from integrations.keeping import SHORTEST_KEY, ChannelSettings


class ChatWidget(ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"identity_key"})

    identity_key: SecretStr = SecretStr("")
    """The shop signs who its visitor is with it (HS256); without one every visitor is anonymous."""
    origins: list[str] = []
    """The pages the widget may stand on, as `https://shop.example`; none: any."""

    def doors(self, slug: str) -> dict[str, str]:
        return {"widget": f"/chat/{slug}"}

    @field_validator("identity_key")
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"the key needs at least {SHORTEST_KEY} characters")
        return key
