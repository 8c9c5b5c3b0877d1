"""What each kind of channel can be told."""

import strawberry
from strawberry.scalars import JSON

from domain.ways_in.channels import ChannelKind
from integrations.channel_settings import KINDS, Setting, Shape, settings_of

strawberry.enum(
    Shape,
    name="ChannelSettingShape",
    description="How a setting is said: TEXT, NUMBER, SWITCH (`true`, `false`), CHOICE, SECRET and JSON in `value`, LIST in "
    "`values`, BY_LANGUAGE in `byLanguage`.",
)


@strawberry.type(description="`description` is in English, as this schema is.")
class ChannelSettingKind:
    name: str
    shape: Shape
    description: str
    required: bool
    secret: bool
    ours: bool = strawberry.field(
        description="A secret that is made here: with the channel, where none is given, and by `channelRotateSecret`."
    )
    default: JSON | None
    choices: list[str]


@strawberry.type
class ChannelKindSettings:
    kind: ChannelKind
    settings: list[ChannelSettingKind] = strawberry.field(
        description="The kind's own first, then what every kind can be told; fewer than 100."
    )


def _channel_kinds() -> list[ChannelKindSettings]:
    return [ChannelKindSettings(kind=kind, settings=list(map(_kind, settings_of(kind)))) for kind in KINDS]


def _kind(setting: Setting) -> ChannelSettingKind:
    return ChannelSettingKind(
        name=setting.name,
        shape=setting.shape,
        description=setting.description,
        required=setting.is_required,
        secret=setting.shape == Shape.SECRET,
        ours=setting.is_ours,
        default=setting.default,
        choices=list(setting.choices),
    )


@strawberry.type
class ChannelKindQueries:
    channel_kinds: list[ChannelKindSettings] = strawberry.field(
        resolver=_channel_kinds, description="What `channelCreate` and `channelUpdate` can be told, by kind."
    )
