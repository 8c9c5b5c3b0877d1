"""The answers go out, each by its own channel; and one stranger stays outside."""

import re

from demo.arriving import FOUR_THREADS, SUBJECT
from demo.farends import SentMail
from demo.narrator import PATIENCE
from demo.scene import Scene
from demo.staff import Ticket

APOLOGY = "Dzień dobry, bardzo przepraszamy! Nowy kubek wyślemy jeszcze dziś."
LETTER = "Dzień dobry,\n\nnowy kubek jest już w drodze. Obtłuczonego nie trzeba odsyłać.\n\nMia"
GOODBYE = "Nowy kubek jest w drodze. Czy możemy jeszcze w czymś pomóc?"
THANKS = "Dziękuję, bardzo się cieszę!"

REPLY_ADDRESS = re.compile(r"help\+t\d+\.[a-z2-7]{26}@shop\.example")
KINDS = ["AlertChanged", "ContactChanged", "TaskChanged", "TicketChanged", "TimelineAppended"]


async def mia_answers_by_the_channel_used_last(scene: Scene) -> None:
    narrator = scene.narrator
    channel = (await scene.ticket()).last_used()
    narrator.check(
        "a call cannot carry words: the channel used last is Messenger", channel, equals="MESSENGER"
    )
    narrator.tell("Mia answers there")
    await _answer(scene, "MESSENGER", APOLOGY)
    sent = await narrator.awaits("the answer reaches Meta", scene.shop.graph.next_sent(PATIENCE))
    narrator.check(
        "Meta has the answer, for Zofia, as a RESPONSE",
        (sent.to, sent.text, sent.messaging_type),
        equals=(scene.zofia.psid, APOLOGY, "RESPONSE"),
    )
    await _delivered(scene, [("MESSENGER", "SENT")])


async def mia_answers_by_mail(scene: Scene) -> SentMail:
    narrator = scene.narrator
    narrator.tell("She answers the mail, too")
    await _answer(scene, "EMAIL", LETTER)
    sent = await narrator.awaits("the answer reaches the mail server", scene.shop.sink.next_mail(PATIENCE))
    mail = sent.message
    narrator.check(
        "Zofia's mail server has it, in answer to her own mail",
        (sent.recipients, mail["In-Reply-To"], scene.first_mail in mail["References"].split()),
        equals=([scene.zofia.email], scene.first_mail, True),
    )
    body = mail.get_body(("plain",))
    said, _, quoted = (body.get_content() if body else "").replace("\r\n", "\n").partition("\n\nDnia ")
    narrator.check("word for word", said.splitlines(), equals=LETTER.splitlines())
    narrator.check("with her own mail below", "napisał(a):\n> " in quoted, equals=True)
    narrator.check(
        "with a signed address to reply to", bool(REPLY_ADDRESS.fullmatch(mail["Reply-To"])), equals=True
    )
    await _delivered(scene, [("MESSENGER", "SENT"), ("EMAIL", "SENT")])
    return sent


async def mia_answers_in_the_chat(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("And in the chat, which Zofia still has open")
    await _answer(scene, "CHAT", GOODBYE)
    message = await narrator.awaits("the answer reaches the open page", scene.chat.reads())
    narrator.check(
        "it is on her page, from Mia", (message["author"], message["text"]), equals=("Mia", GOODBYE)
    )
    await scene.chat.has_shown(message)
    await _delivered(scene, [("MESSENGER", "SENT"), ("EMAIL", "SENT"), ("CHAT", "DELIVERED")])


async def zofia_replies_to_the_mail(scene: Scene, answered: SentMail) -> None:
    narrator = scene.narrator
    narrator.tell("Zofia presses Reply")
    mail = answered.message
    await scene.zofia.mails(f"Re: {SUBJECT}", THANKS, to=mail["Reply-To"], answering=mail)
    await narrator.see(
        "her thanks are in the same ticket, which has its four threads still",
        scene.shown(lambda ticket: (ticket.messages("IN")[-1]["text"].strip(), ticket.threads())),
        equals=(THANKS, FOUR_THREADS),
    )


async def the_promise_is_settled(scene: Scene) -> None:
    narrator = scene.narrator

    async def alerts() -> list[tuple[str, str]]:
        found = await scene.mia.ask("{ alerts(states: [FIRING, ACKED, RESOLVED]) { kind state } }")
        return [(one["kind"], one["state"]) for one in found["alerts"]]

    await narrator.see(
        "the alert is RESOLVED, like the warning before it, and the missed call's",
        alerts,
        equals=[("SLA_BREACHED", "RESOLVED"), ("SLA_AT_RISK", "RESOLVED"), ("CALL_MISSED", "RESOLVED")],
    )

    async def pushed() -> list[str]:
        return [push.data["k"] for push in scene.shop.fcm.pushed]

    await narrator.see(
        "the phone rang for the call, once in time and once when it was late, and takes all away silently",
        pushed,
        equals=["call_missed", "sla_at_risk", "sla_breached", "cleared"],
    )
    clock = (await scene.ticket()).shown["clock"]
    narrator.check(
        "the promise is MET, and stays known as a broken one",
        (clock["state"], clock["breachedAt"]),
        equals=("MET", scene.due_at.isoformat()),
    )


async def eve_knows_only_the_number(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell(f"Eve, a stranger, writes “Re: [#{scene.number}] {SUBJECT}”")
    await scene.eve.mails(f"Re: [#{scene.number}] {SUBJECT}", f"Where do you send it? #{scene.number}")

    async def inbox() -> set[tuple[str, bool]]:
        return {(one["contact"]["name"], one["id"] == scene.ticket_id) for one in await scene.ben.inbox()}

    await narrator.see(
        "a number is no key: she gets a ticket of her own",
        inbox,
        equals={("Zofia Nowak", True), ("Eve", False)},
    )
    await narrator.see("and Zofia's ticket stays as it was", scene.shown(Ticket.threads), equals=FOUR_THREADS)


async def mias_app_was_told(scene: Scene) -> None:
    async def kinds() -> list[str]:
        return sorted({change["__typename"] for change in scene.mias_app})

    await scene.narrator.see(
        "Mia's app was told of all this while it happened, over its open socket", kinds, equals=KINDS
    )
    scene.narrator.saw(f"{len(scene.mias_app)} changes: of tickets, timelines, alerts, tasks and contacts")


async def _answer(scene: Scene, channel: str, text: str) -> None:
    ticket = await scene.ticket()
    await scene.mia.do(
        "messageSend",
        "message { id }",
        ticketId=scene.ticket_id,
        identityId=ticket.address(channel),
        text=text,
        lastSeenSeq=ticket.shown["seq"],
    )


async def _delivered(scene: Scene, states: list[tuple[str, str]]) -> None:
    channel, state = states[-1]
    await scene.narrator.see(f"Ben sees it: {channel} {state}", scene.shown(Ticket.deliveries), equals=states)
