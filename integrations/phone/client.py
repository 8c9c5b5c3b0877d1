"""Asks a PBX that speaks generic CTI JSON for a call: the agent's telephone first, then the customer's.

Signed as its own events are. It may go by our `call_id`, or answer with its own: `{"call_id": …}`.
"""

import time

import orjson

from integrations.outbound import SendFailed, SendRefused
from integrations.phone.calling import NOT_REACHED, CallMeans, Order, asked
from integrations.signatures import phone_signature
from integrations.subscribers.addresses import target_of

LONGEST_ID = 200


async def dial(order: Order, means: CallMeans) -> str | None:
    body = orjson.dumps(
        {
            "action": "dial",
            "call_id": order.id,
            "user": order.telephone,
            "number": order.number,
            "caller_id": order.line.place(),
        }
    )
    key = order.line.key.get_secret_value()
    headers = {
        "content-type": "application/json",
        "x-signature": phone_signature(key, body, at=int(time.time())),
    }
    try:
        target = await target_of(order.line.dial_url, private=means.settings.webhooks_private)
    except (SendRefused, ConnectionError) as failure:
        raise SendFailed(f"{NOT_REACHED}\n{failure}") from failure
    request = means.http.build_request("POST", content=body, **target.asked(headers))
    answer = await asked(request, means.http)
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return None
    name = told.get("call_id") if isinstance(told, dict) else None
    return name.strip()[:LONGEST_ID] or None if isinstance(name, str) else None
