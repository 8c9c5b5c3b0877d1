"""How the settings of a channel are kept: a SecretStr encrypted, the rest plain."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from domain.channels import Channel
from domain.db import Json
from domain.keys import Keys


class ChannelSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _secret_can_be_sent(cls, value: Any) -> Any:
        if isinstance(value, SecretStr) and not (value.get_secret_value() or "-").isascii():
            raise ValueError("a token or key is made of plain letters, digits and signs")
        return value

    @classmethod
    def of(cls, channel: Channel, keys: Keys) -> Self:
        return cls.model_validate(channel.config | (keys.decrypt(channel.secrets) if channel.secrets else {}))

    def place(self) -> str | None:
        """What the world calls the channel."""
        return None

    def config(self) -> Json:
        return {name: value for name, value in self if not isinstance(value, SecretStr)}

    def secrets(self) -> dict[str, str]:
        return {name: value.get_secret_value() for name, value in self if isinstance(value, SecretStr)}
