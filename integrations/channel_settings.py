"""What each kind of channel needs to be told, and how that is said from outside."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import orjson
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from domain.db import Json
from domain.errors import InvalidInput
from domain.languages import N_, translate
from domain.ways_in.channels import ChannelKind
from integrations.chat.widget import ChatWidget
from integrations.keeping import ChannelSettings, WrongSetting, said_below
from integrations.mail.mailbox import Mailbox
from integrations.messenger.page import MessengerPage
from integrations.phone.line import PhoneLine
from integrations.sms.number import SmsNumber

KINDS: dict[ChannelKind, type[ChannelSettings]] = {
    ChannelKind.EMAIL: Mailbox,
    ChannelKind.MESSENGER: MessengerPage,
    ChannelKind.CHAT: ChatWidget,
    ChannelKind.PHONE: PhoneLine,
    ChannelKind.SMS: SmsNumber,
}


class Shape(StrEnum):
    """What a setting looks like."""

    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    LIST = "list"
    """Of texts."""
    BY_LANGUAGE = "by_language"
    """A text for each language."""
    SECRET = "secret"
    JSON = "json"


@dataclass(frozen=True)
class Setting:
    name: str
    shape: Shape
    description: str
    is_required: bool
    default: Any
    """None of a secret, and where there is none."""
    choices: tuple[str, ...] = ()
    is_ours: bool = False
    """A secret that is made here."""


def settings_of(kind: ChannelKind) -> list[Setting]:
    """Those of the kind's own first."""
    model = KINDS[kind]
    own = [name for name in model.model_fields if name not in ChannelSettings.model_fields]
    return [_setting(model, name, model.model_fields[name]) for name in (*own, *ChannelSettings.model_fields)]


def _setting(model: type[ChannelSettings], name: str, field: FieldInfo) -> Setting:
    shape, choices = _shape(field.annotation)
    required = field.is_required() and name not in model.OURS
    default = None if field.is_required() or shape == Shape.SECRET else field.get_default()
    said = " ".join(said_below(model).get(name, "").split())
    return Setting(name, shape, said, required, default, choices, name in model.OURS)


def _shape(annotation: Any) -> tuple[Shape, tuple[str, ...]]:
    if get_origin(annotation) in (Union, UnionType):
        alternatives = [one for one in get_args(annotation) if one is not NoneType]
        if all(get_origin(one) is Literal for one in alternatives):
            return Shape.CHOICE, tuple(str(word) for one in alternatives for word in get_args(one))
        return _shape(alternatives[0]) if len(alternatives) == 1 else (Shape.JSON, ())
    if get_origin(annotation) is Literal:
        return Shape.CHOICE, tuple(str(word) for word in _words(annotation))
    if get_origin(annotation) is dict and get_args(annotation)[1] is str:
        return Shape.BY_LANGUAGE, ()
    shapes = {
        str: Shape.TEXT,
        int: Shape.NUMBER,
        float: Shape.NUMBER,
        bool: Shape.SWITCH,
        list[str]: Shape.LIST,
        SecretStr: Shape.SECRET,
    }
    return shapes.get(annotation, Shape.JSON), ()


def _words(annotation: Any) -> list[Any]:
    """A Literal may stand in a Literal."""
    return [word for one in get_args(annotation) for word in (_words(one) or [one])]


_PROBLEMS = {
    "extra_forbidden": N_("there is no such setting"),
    "missing": N_("it is needed"),
    "dict_type": N_("it is said by language, as `acknowledgement.es=…`"),
    "list_type": N_("it is a list"),
    "int_parsing": N_("it is a number"),
    "bool_parsing": N_("it is true or false"),
    "literal_error": N_("it is one of {expected}"),
    "greater_than_equal": N_("it is at least {ge}"),
    "less_than_equal": N_("it is at most {le}"),
}
"""In words of ours, by pydantic's type."""


def read_settings(kind: ChannelKind, values: dict[str, Any]) -> ChannelSettings:
    try:
        return KINDS[kind].model_validate(values)
    except ValidationError as refusal:
        first = refusal.errors(include_input=False, include_url=False)[0]
        loc = [str(part) for part in first["loc"] if part != "[key]"]
        name, (problem, more) = ".".join(loc) or kind.value, _problem(first)
        raise SettingRefused(name, problem, field=["settings", *loc[:1]], **more) from None


class SettingRefused(InvalidInput):
    """Both what is wrong and how that is said of a setting are in the reader's language."""

    def __init__(self, name: str, problem: str, *, field: list[str], **more: Any) -> None:
        self._problem, self._more = problem, more
        said = translate("en", problem, **more)
        super().__init__(N_("{name}: {problem}"), field=field, name=name, problem=said)

    def in_language(self, locale: str) -> str:
        problem = translate(locale, self._problem, **self._more)
        return translate(locale, self.sentence, name=self.values["name"], problem=problem)


def _problem(found: ErrorDetails) -> tuple[str, Mapping[str, Any]]:
    """The sentence, and what fills it."""
    more = found.get("ctx", {})
    if isinstance(wrong := more.get("error"), WrongSetting):
        return wrong.sentence, wrong.values
    if "expected" in more:
        more = {"expected": more["expected"].removeprefix("'', ").replace(" or ", ", ")}
    if ours := _PROBLEMS.get(found["type"]):
        return ours, more
    return found["msg"], {}


def otherwise(kind: ChannelKind, before: Json, said: Mapping[str, Any]) -> Json:
    """The settings with what is said now: nothing (`None`, "", an empty list) is what it is by itself; of a text in several
    languages those that are named. What has a shape of its own may come as JSON."""
    shapes = {one.name: one.shape for one in settings_of(kind)}
    after = dict(before)
    for name, value in said.items():
        if name not in shapes:
            raise SettingRefused(name, _PROBLEMS["extra_forbidden"], field=["settings", name])
        if shapes[name] == Shape.JSON and isinstance(value, str) and value:
            value = _from_json(name, value)
        if shapes[name] == Shape.BY_LANGUAGE and isinstance(value, Mapping) and value:
            merged = {**(before.get(name) or {}), **value}
            value = {language: text for language, text in merged.items() if text}
        after[name] = value
    return {name: value for name, value in after.items() if value not in (None, "", {}, [])}


def _from_json(name: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SettingRefused(name, N_("it is JSON"), field=["settings", name]) from None


def with_ours(kind: ChannelKind, values: Mapping[str, Any]) -> tuple[Json, dict[str, str]]:
    """The settings of a new channel, and those secrets of ours in them that nobody gave: they are shown once."""
    theirs = KINDS[kind].ours_of_a_new_one(values)
    made = {name: new_secret() for name in sorted(theirs) if not values.get(name)}
    return {**values, **made}, made


def new_secret() -> str:
    return secrets.token_urlsafe(32)
