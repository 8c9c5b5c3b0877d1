"""How the settings of a channel are kept: a SecretStr encrypted, the rest plain."""

import ast
import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from domain.db import Json
from domain.keys import Keys
from domain.languages import N_
from domain.ways_in.channels import Channel, Retired, retired_in


class WrongSetting(ValueError):
    """What is wrong with one: `values` fill the sentence, in the language of whoever reads it."""

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(sentence.format(**values) if values else sentence)
        self.sentence, self.values = sentence, values


Language: TypeAlias = Literal["en", "pl", "es", "ca"]


def _known_region(said: str | None, how: ValidationInfo) -> str | None:
    """By one that is not known no national number is read: it is refused, and as none where it was kept before that."""
    region = said.strip().upper() if said else None
    if region and region not in phonenumbers.SUPPORTED_REGIONS:
        if how.context:
            return None
        raise WrongSetting(N_("it is a country's two letters, such as PL"))
    return region


def _of_twilio(said: str) -> str:
    if said and not re.fullmatch(r"AC[0-9a-f]{32}", said):
        raise WrongSetting(N_("it is AC and 32 letters and digits, as Twilio's console shows it"))
    return said


Region: TypeAlias = Annotated[str | None, AfterValidator(_known_region)]
AccountSid: TypeAlias = Annotated[str, AfterValidator(_of_twilio)]

SHORTEST_KEY = 32
"""Characters of a key that signs: who guesses it can be anybody."""


def web_address(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise WrongSetting(N_("should begin with http:// or https://"))
    return url


def check_needed(provider: str, told: Mapping[str, str | SecretStr]) -> None:
    """By the names of the settings that it does not do without."""
    values = {
        name: one.get_secret_value() if isinstance(one, SecretStr) else one for name, one in told.items()
    }
    if missing := [name for name, value in values.items() if not value]:
        raise WrongSetting(N_("{provider} needs {names}"), provider=provider, names=", ".join(missing))


@cache
def said_below(model: type[BaseModel]) -> Mapping[str, str]:
    """What stands below each setting, in its class or one that it comes from. Pydantic, told to, would read it at every start."""
    said: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if one is BaseModel or not issubclass(one, BaseModel):
            continue
        (written,) = ast.parse(dedent(inspect.getsource(one))).body
        assert isinstance(written, ast.ClassDef)
        for pair in pairwise(written.body):
            match pair:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    said[name] = words
    return said


class ChannelSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    OURS: ClassVar[frozenset[str]] = frozenset()
    """Secrets that we make: one that is needed is made with the channel, and each is made anew when it is asked for."""
    SHOWN_AT: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By the setting that says where it is: the secrets that are shown there. Whoever says another place knows them."""

    @classmethod
    def ours_of_a_new_one(cls, said: Mapping[str, Any]) -> frozenset[str]:
        """Those of them that are of use to a channel that is told this."""
        return cls.OURS

    language: Literal["", Language] = ""
    """Of its answers to who has told no language."""
    acknowledge: bool = False
    """Is what opens a ticket answered at once with its number?"""
    acknowledgement: dict[Language, str] = {}
    """The shop's own words for that, by language (`en`, `pl`, `es`, `ca`), with `{number}` where the number stands."""
    acknowledgement_closed: dict[Language, str] = {}
    """The same while nobody is there, with `{opens}` where it says when somebody is again."""
    inbound_per_minute: int = Field(default=0, ge=0)
    """More than these wait their turn; 0: as many as come."""

    @field_validator("*")
    @classmethod
    def _secret_can_be_sent(cls, value: Any) -> Any:
        if isinstance(value, SecretStr) and not (value.get_secret_value() or "-").isascii():
            raise WrongSetting(N_("a token or key is made of plain letters, digits and signs"))
        return value

    _retired: dict[str, list[Retired]] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, channel: Channel, keys: Keys) -> Self:
        secrets = keys.decrypt(channel.secrets) if channel.secrets else {}
        read = cls.model_validate(channel.config | secrets, context={"kept": True})
        read._retired = retired_in(channel.retired, keys)
        return read

    def accepted(self, name: str) -> tuple[str, ...]:
        """Every value of a secret by which somebody shows now that they know it: the present one, and those it took the place
        of a while ago. None of one that is not set."""
        present: SecretStr = getattr(self, name)
        now = datetime.now(UTC)
        before = [one.value for one in self._retired.get(name, ()) if one.until > now]
        return tuple(filter(None, (present.get_secret_value(), *before)))

    def place(self) -> str | None:
        """What the world calls the channel."""
        return None

    def doors(self, slug: str) -> dict[str, str]:
        """Paths that are typed in at its provider, by what each is for; `{key}` stands for that secret."""
        return {}

    def config(self) -> Json:
        return {name: value for name, value in self if not isinstance(value, SecretStr)}

    def secrets(self) -> dict[str, str]:
        return {name: value.get_secret_value() for name, value in self if isinstance(value, SecretStr)}
