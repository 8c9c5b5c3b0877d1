"""What a chat widget needs to be told."""

import re
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from domain.customers.visitors import MAIL_AFTER, Room
from domain.db import Json
from domain.languages import N_
from integrations.keeping import SHORTEST_KEY, ChannelSettings, Language, Region, WrongSetting


class Question(BaseModel):
    """One of the fields that a visitor fills in before the first message."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: dict[Language, str] = Field(min_length=1)
    type: Literal["text", "name", "email", "phone", "select"] = "text"
    required: bool = False
    options: list[str] = []
    """Of a `select`."""


class ChatWidget(ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"identity_key"})

    identity_key: SecretStr = SecretStr("")
    """The shop signs who its visitor is with it (HS256); without one every visitor is anonymous."""
    origins: list[str] = []
    """The pages the widget may stand on, as `https://shop.example`; none: any."""
    anonymous: bool = True
    """May visitors write of whom the shop has not signed who they are?"""
    fields: list[Question] = Field(default=[], max_length=10)
    """What is asked before the first message: a JSON list of `name`, `label` by language, `type`, `required`, `options`."""
    region: Region = None
    """Two letters, to read national numbers in answers."""
    mail_after_minutes: int = Field(default=MAIL_AFTER, ge=0, le=7 * 24 * 60)
    """After which an unread answer goes out by mail to a visitor who left; 0: never."""
    messages_per_minute: int = Field(default=30, ge=1)
    """Of one session."""
    files_per_hour: int = Field(default=20, ge=0)
    """Of one session."""
    sessions_per_minute: int = Field(default=60, ge=1)
    """New ones from one address: offices and mobile networks share one."""
    megabytes_per_hour: int = Field(default=500, ge=25)
    """All that comes from one address, words and files; one message with files may have 25."""
    streams_per_session: int = Field(default=8, ge=1)
    """Open sockets and streams of one session."""
    streams: int = Field(default=5000, ge=1)
    """Open sockets and streams of the channel, in one process."""

    def doors(self, slug: str) -> dict[str, str]:
        return {"widget": f"/chat/{slug}"}

    @field_validator("identity_key")
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < SHORTEST_KEY:
            raise WrongSetting(N_("the key needs at least {least} characters"), least=SHORTEST_KEY)
        return key

    @field_validator("origins")
    @classmethod
    def _as_browsers_say_them(cls, origins: list[str], how: ValidationInfo) -> list[str]:
        said = [origin.strip().rstrip("/").lower() for origin in origins]
        if not how.context and not all(map(is_origin, said)):
            raise WrongSetting(N_("an origin is like https://shop.example, without a path"))
        return said

    @field_validator("fields")
    @classmethod
    def _make_sense(cls, fields: list[Question]) -> list[Question]:
        if len({field.name for field in fields}) < len(fields):
            raise WrongSetting(N_("each field has a name of its own"))
        if any((field.type == "select") != bool(field.options) for field in fields):
            raise WrongSetting(N_("a select has options, and nothing else has"))
        return fields

    def config(self) -> Json:
        return super().config() | {"fields": [field.model_dump() for field in self.fields]}

    def room(self) -> Room:
        return Room(self.messages_per_minute, self.files_per_hour)

    def welcomes(self, origin: str | None) -> bool:
        """A browser always says where the page stands; what says nothing is no page that could abuse a visitor."""
        return origin is None or not self.origins or origin.lower() in self.origins


def is_origin(said: str) -> bool:
    """Could a browser say it?"""
    return re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d+)?", said) is not None
