"""Sending by Twilio's REST API, `Messages.json`.

Source: https://www.twilio.com/docs/messaging/api/message-resource
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sqlalchemy import select

from domain.answering.delivery_problems import Problem
from domain.customers import consents
from domain.customers.consents import ConsentWord, Says, Wish
from domain.db import database_time
from domain.desk.messages import Item
from integrations.outbound import AwaitsWord, Letter, MaybeSent, Means, SendFailed, SendRefused
from integrations.sms.causes import cause
from integrations.sms.number import SmsNumber
from integrations.sms.posting import call, not_let_in, refused, unsure
from integrations.twilio import account_url, sign_in

STOPPED = 21610
OF_THE_ACCOUNT = {20003, 20005, 20006, 20404, 21606, 21603, 21659, 21660, 30002}
"""The sender or the account is wrong, and not this message: it waits."""
PASSING = {20429, 21611, 30001, 30022, 63038}
CLOCKS_DIFFER = timedelta(minutes=2)


async def send(letter: Letter, number: SmsNumber, to: str, means: Means) -> str:
    message, channel = letter.message, letter.channel
    form = {"To": to, "From": channel.address or "", "Body": letter.text}
    report = f"{means.base_url}/hooks/twilio/{channel.slug}/sms/status?message={message.id}"
    answer = await call(
        "POST", _url(number, means), data=form | {"StatusCallback": report}, auth=sign_in(number)
    )
    if not answer.is_good:
        raise await _refusal(letter, to, means, answer.status, answer.said)
    if not (sid := answer.said.get("sid")):
        raise MaybeSent("the answer names no message", problem=Problem.DOWN)
    return str(sid)


async def find(letter: Letter, number: SmsNumber, to: str, means: Means) -> str | None:
    """The message that an earlier try made there, if it did: of these words to this number, that is none of our others.

    Not by `DateSent`: what waits there has none.
    """
    asked = {"To": to, "From": letter.channel.address or "", "PageSize": "50"}
    try:
        answer = await call("GET", _url(number, means), params=asked, auth=sign_in(number))
    except SendFailed as failure:
        raise AwaitsWord(str(failure), problem=failure.problem) from failure
    if not answer.is_good:
        raise unsure(answer)
    since = letter.message.at - CLOCKS_DIFFER
    there = [
        str(one["sid"])
        for one in answer.said.get("messages") or []
        if str(one.get("body") or "").strip() == letter.text.strip() and _made_at(one) >= since
    ]
    if not there:
        return None
    async with means.db.transaction() as session:
        others = await session.scalars(
            select(Item.external_id).where(
                Item.channel_id == letter.channel.id,
                Item.external_id.in_(there),
                Item.id != letter.message.id,
            )
        )
        known = set(others)
    return next((sid for sid in there if sid not in known), None)


async def _refusal(
    letter: Letter, to: str, means: Means, status: int, said: dict[str, Any]
) -> SendFailed | SendRefused:
    code = said.get("code")
    words = cause("twilio", str(code or ""), str(said.get("message") or f"HTTP {status}"))
    if code == STOPPED:
        async with means.db.transaction() as session:
            word = ConsentWord(
                Wish.STOP, "", f"refused/{letter.message.id}", await database_time(session), Says.PROVIDER
            )
            await consents.heed(session, letter.channel.id, to, word)
    if code in OF_THE_ACCOUNT:
        return not_let_in(words)
    if code in PASSING:
        return SendFailed(words, problem=Problem.BUSY)
    return refused(status, words)


def _url(number: SmsNumber, means: Means) -> str:
    return account_url(means.settings.twilio_url, number) + "/Messages.json"


def _made_at(one: dict[str, Any]) -> datetime:
    """As mails have it; what does not say may be it."""
    try:
        return parsedate_to_datetime(str(one.get("date_created")))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
