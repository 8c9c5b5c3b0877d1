"""Text messages on their way out. What a provider may have already is asked for first, and not sent blindly again."""

from domain.answering.delivery_problems import Problem
from domain.customers import consents
from integrations.outbound import Handed, Letter, MayHaveArrived, Means, SendRefused
from integrations.sms.infobip import client as infobip
from integrations.sms.number import SmsNumber
from integrations.sms.twilio import client as twilio
from integrations.sms.vonage import client as vonage


async def send(letter: Letter, means: Means) -> Handed:
    """With the provider's id of the message."""
    message, to = letter.message, letter.to
    if to is None:
        raise SendRefused("there is no number to send it to")
    if message.external_id:  # its report was quicker than the answer to us
        return Handed(message.external_id)
    await _still_wanted(letter, means, to.value)
    number = SmsNumber.of(letter.channel, means.keys)
    match number.provider:
        case "twilio":
            if letter.maybe_sent and (sid := await twilio.find(letter, number, to.value, means)):
                return Handed(sid)
            return Handed(await twilio.send(letter, number, to.value, means))
        case "infobip":
            if letter.maybe_sent and await infobip.find(letter, number, means):
                return Handed(str(message.id))
            return Handed(await infobip.send(letter, number, to.value, means))
        case "vonage":
            if letter.maybe_sent:
                raise MayHaveArrived
            return Handed(await vonage.send(letter, number, to.value, means))


async def _still_wanted(letter: Letter, means: Means, number: str) -> None:
    """Whoever has the number may have said no while the answer waited."""
    async with means.db.transaction() as session:
        stopped = await consents.stopped_at(session, letter.channel.id, number)
    if stopped:
        raise SendRefused("", problem=Problem.STOPPED)
