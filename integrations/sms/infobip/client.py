"""Sending by Infobip's API. Each message goes under an id of ours, so that it can be asked for.

Source: https://www.infobip.com/docs/api/channels/sms
"""

from typing import Any

from domain.answering.delivery_problems import Problem
from integrations.outbound import AwaitsWord, Letter, MaybeSent, Means, SendFailed, SendRefused
from integrations.sms.infobip.payloads import reason
from integrations.sms.number import SmsNumber
from integrations.sms.posting import call, not_let_in, refused, unsure
from integrations.subscribers.addresses import target_of

TAKEN = ("PENDING", "DELIVERED")
TWICE = "REJECTED_DUPLICATE_MESSAGE_ID"
OF_THE_ACCOUNT = {
    "REJECTED_NOT_ENOUGH_CREDITS",
    "REJECTED_PREPAID_PACKAGE_EXPIRED",
    "REJECTED_SENDER",
    "REJECTED_SOURCE",
}
"""The account or the sender is at fault, and not this message: it waits."""
PASSING = {"REJECTED_SYSTEM_ERROR", "REJECTED_FLOODING_FILTER"}


async def send(letter: Letter, number: SmsNumber, to: str, means: Means) -> str:
    message, channel = letter.message, letter.channel
    token = number.token.get_secret_value()
    one = {
        "from": _bare(channel.address),
        "destinations": [{"to": _bare(to), "messageId": str(message.id)}],
        "text": letter.text,
        "notifyUrl": f"{means.base_url}/hooks/sms/{channel.slug}/{token}",
        "notifyContentType": "application/json",
    }
    answer = await call(
        "POST", **await _judged(number, "/sms/2/text/advanced", means), json={"messages": [one]}
    )
    if not answer.is_good:
        raise refused(answer.status, _problem(answer.said) or f"HTTP {answer.status}")
    try:
        (sent,) = answer.said["messages"]
        status: dict[str, Any] = sent["status"]
        group, name = str(status["groupName"]).upper(), str(status.get("name"))
    except (KeyError, TypeError, ValueError) as oddity:
        raise MaybeSent("the answer names no message", problem=Problem.DOWN) from oddity
    if group in TAKEN or name == TWICE:
        return str(message.id)
    if name in OF_THE_ACCOUNT:
        raise not_let_in(reason(status))
    if name in PASSING:
        raise SendFailed(reason(status), problem=Problem.BUSY)
    raise SendRefused(reason(status))


async def find(letter: Letter, number: SmsNumber, means: Means) -> bool:
    """Did an earlier try arrive there?"""
    asked = {"messageId": str(letter.message.id)}
    there = await _judged(number, "/sms/1/logs", means)
    try:
        answer = await call("GET", **there, params=asked)
    except SendFailed as failure:
        raise AwaitsWord(str(failure), problem=failure.problem) from failure
    if not answer.is_good:
        raise unsure(answer)
    return bool(answer.said.get("results"))


async def at(number: SmsNumber, path: str, means: Means) -> dict[str, Any]:
    """What a request there is made of. The address is typed in by whoever sets the number up: raises SendRefused for one in our own
    network, ConnectionError for one that is not known."""
    target = await target_of(number.base_url + path, private=means.settings.webhooks_private)
    return target.asked({"Authorization": f"App {number.api_key.get_secret_value()}"})


async def _judged(number: SmsNumber, path: str, means: Means) -> dict[str, Any]:
    try:
        return await at(number, path, means)
    except SendRefused as refusal:
        raise not_let_in(str(refusal)) from refusal
    except ConnectionError as failure:
        raise SendFailed(str(failure), problem=Problem.DOWN) from failure


def _bare(address: str | None) -> str:
    return (address or "").removeprefix("+")


def _problem(said: dict[str, Any]) -> str:
    try:
        wrong = said["requestError"]["serviceException"]
        return f"{wrong['messageId']}: {wrong['text']}"[:300]
    except (KeyError, TypeError):
        return ""
