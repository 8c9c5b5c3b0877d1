"""Asks Twilio for a call. https://www.twilio.com/docs/voice/api/call-resource"""

from urllib.parse import quote, urlencode

from integrations.outbound import SendRefused
from integrations.phone.calling import NOT_RUNG, RINGS, CallMeans, Order, asked
from integrations.phone.twilio.account import target
from integrations.twilio import account_url, sign_in

STEPS = ("initiated", "ringing", "answered", "completed")


async def dial(order: Order, means: CallMeans) -> str | None:
    """The agent's telephone rings; once it is picked up, Twilio asks us what next. Its steps come back under our own id, so that
    of Twilio is not needed."""
    telephone = target(order.telephone)
    if telephone is None:
        raise SendRefused(NOT_RUNG)
    hook = f"{means.base_url}/hooks/twilio/{order.slug}/voice"
    form = {
        "To": telephone,
        "From": order.line.place(),
        "Timeout": str(RINGS),
        "Url": f"{hook}/connect?{urlencode({'call': order.id, 'number': order.number}, quote_via=quote)}",
        "StatusCallback": f"{hook}/status?{urlencode({'call': order.id})}",
        "StatusCallbackEvent": STEPS,
    }
    calls = account_url(means.settings.twilio_url, order.line) + "/Calls.json"
    await asked(means.http.build_request("POST", calls, data=form), means.http, sign_in(order.line))
    return None
