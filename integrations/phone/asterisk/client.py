"""Asks an Asterisk for a call: the agent's telephone rings, and once it is picked up, the dialplan or a trunk reaches the customer."""

from integrations.outbound import MaybeSent, SendFailed, SendRefused
from integrations.phone.asterisk.connection import ExchangeFailed, SignInRefused, Unanswered, connected
from integrations.phone.calling import RINGS, CallMeans, Order

REACHES = 60


async def dial(order: Order, means: CallMeans) -> str | None:
    line = order.line
    if not (line.context or line.trunk):
        raise SendRefused("the line says neither a context nor a trunk to call by")
    if not order.telephone.isprintable() or " " in order.telephone:
        raise SendRefused("the agent's telephone is none that the PBX can ring")
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
        raise MaybeSent(str(doubt)) from doubt
    except SignInRefused as refusal:
        raise SendRefused(str(refusal)) from refusal
    except ExchangeFailed as failure:
        raise SendFailed(str(failure)) from failure
    if answers[0].get("Response") != "Success":
        raise SendRefused(str(answers[0].get("Message", "refused"))[:300])
    return None
