"""Asks an Asterisk for a call: the agent's telephone rings, and once it is picked up, the dialplan or a trunk reaches the customer."""

from domain.languages import N_
from integrations.outbound import MaybeSent, SendFailed, SendRefused
from integrations.phone.asterisk.connection import ExchangeFailed, SignInRefused, Unanswered, connected
from integrations.phone.calling import NOT_REACHED, NOT_RUNG, REFUSED, RINGS, UNSURE, CallMeans, Order

REACHES = 60


async def dial(order: Order, means: CallMeans) -> str | None:
    line = order.line
    if not (line.context or line.trunk):
        raise SendRefused(N_("The line's settings do not say how calls are made."))
    if not order.telephone.isprintable() or " " in order.telephone:
        raise SendRefused(NOT_RUNG)
    if line.context:
        then = {"Context": line.context, "Exten": order.number, "Priority": "1"}
    else:
        then = {"Application": "Dial", "Data": f"{line.towards(order.number)},{REACHES}"}
    try:
        async with connected(line) as connection:
            answers = await connection.ask(
                {
                    "Action": "Originate",
                    "ActionID": order.id,
                    "ChannelId": order.id,
                    "Channel": line.channel_of(order.telephone),
                    "CallerID": f"<{line.place()}>",
                    "Timeout": str(RINGS * 1000),
                    "Async": "true",
                    **then,
                }
            )
    except Unanswered as doubt:
        raise MaybeSent(f"{UNSURE}\n{doubt}") from doubt
    except SignInRefused as refusal:
        raise SendRefused(f"{REFUSED}\n{refusal}") from refusal
    except ExchangeFailed as failure:
        raise SendFailed(f"{NOT_REACHED}\n{failure}") from failure
    if answers[0].get("Response") != "Success":
        raise SendRefused(f"{REFUSED}\n{answers[0].get('Message', '')}"[:300])
    return None
