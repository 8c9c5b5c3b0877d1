"""Sending by Vonage's SMS API, which answers for each part. It cannot be asked afterwards what it has taken.

Source: https://developer.vonage.com/en/api/sms
"""

from typing import Any

from domain.answering.delivery_problems import Problem
from domain.answering.segments import SmsEncoding, segments_of
from integrations.outbound import Letter, MaybeSent, Means, SendFailed, SendRefused
from integrations.sms.causes import cause
from integrations.sms.number import SmsNumber
from integrations.sms.posting import call, not_let_in, refused

PASSING = {"1", "5"}
OF_THE_ACCOUNT = {"4", "8", "9", "11", "14", "15", "32"}
"""The account or the sender is wrong, and not this message: it waits."""


async def send(letter: Letter, number: SmsNumber, to: str, means: Means) -> str:
    """With the id of the first part."""
    message, channel = letter.message, letter.channel
    path = "/".join(filter(None, (channel.slug, number.token.get_secret_value())))
    form = {
        "api_key": number.api_key.get_secret_value(),
        "api_secret": number.api_secret.get_secret_value(),
        "from": (channel.address or "").removeprefix("+"),
        "to": to.removeprefix("+"),
        "text": letter.text,
        "type": "unicode" if segments_of(letter.text).encoding == SmsEncoding.UCS_2 else "text",
        "client-ref": str(message.id),
        "callback": f"{means.base_url}/hooks/sms/{path}",
        "status-report-req": "1",
    }
    answer = await call("POST", f"{means.settings.vonage_url}/sms/json", data=form)
    if not answer.is_good:
        raise refused(answer.status, f"HTTP {answer.status}")
    try:
        parts = [_part(one) for one in answer.said["messages"]]
    except (KeyError, TypeError, ValueError) as oddity:
        raise MaybeSent("the answer names no message", problem=Problem.DOWN) from oddity
    taken = [id for id, code, _ in parts if code == "0"]
    wrong = [(code, words) for _, code, words in parts if code != "0"]
    if taken and not wrong:
        return taken[0]
    if not wrong:
        raise MaybeSent("the answer names no message", problem=Problem.DOWN)
    code, words = wrong[0]
    said = cause("vonage_sending", code, words)
    if taken:  # sent again, the customer would have those twice
        raise SendRefused(f"{len(taken)}/{len(parts)}: {said}", problem=Problem.PARTLY)
    if code in OF_THE_ACCOUNT:
        raise not_let_in(said)
    if code in PASSING:
        raise SendFailed(said, problem=Problem.BUSY)
    raise SendRefused(said)


def _part(one: dict[str, Any]) -> tuple[str, str, str]:
    return str(one.get("message-id") or ""), str(one["status"]), str(one.get("error-text") or "")
