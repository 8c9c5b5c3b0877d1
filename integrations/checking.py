"""`channelTest`: the far end of a channel is asked whether it works; nothing is sent to anybody."""

from collections.abc import Awaitable, Callable

from cryptography.fernet import InvalidToken
from pydantic import ValidationError

from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind
from integrations.channel_settings import KINDS
from integrations.chat import checking as chat
from integrations.findings import Finding
from integrations.mail import checking as mail
from integrations.messenger import checking as messenger
from integrations.outbound import Means
from integrations.phone import checking as phone
from integrations.setting_up import SEALED
from integrations.sms import checking as sms

Check = Callable[[Channel, Means], Awaitable[list[Finding]]]

CHECKS: dict[ChannelKind, Check] = {
    ChannelKind.EMAIL: mail.check,
    ChannelKind.MESSENGER: messenger.check,
    ChannelKind.CHAT: chat.check,
    ChannelKind.PHONE: phone.check,
    ChannelKind.SMS: sms.check,
}


async def findings_of(channel: Channel, means: Means) -> list[Finding]:
    off = N_("It is switched off: nothing comes in and nothing leaves.")
    switched = [Finding("enabled", False, off)] if channel.disabled_at else []
    try:
        KINDS[channel.kind].of(channel, means.keys)
        return [*switched, *await CHECKS[channel.kind](channel, means)]
    except InvalidToken:
        return [*switched, Finding("settings", False, SEALED)]
    except ValidationError as problem:
        named = ".".join(str(part) for part in problem.errors(include_input=False)[0]["loc"])
        wrong = N_("A setting is missing or wrong: {name}.")
        return [*switched, Finding("settings", False, wrong, {"name": named or channel.kind.value})]
