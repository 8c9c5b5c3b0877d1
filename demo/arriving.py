"""One customer, four channels: each conversation joins the ticket, and each for its own reason."""

from datetime import datetime

from demo.scene import PROMISE, Scene
from demo.staff import Json, Ticket

SUBJECT = "Obtłuczony kubek, zamówienie 1042"
LETTER = """\
Dzień dobry,

wczoraj przyszedł kubek z zamówienia 1042 i ma obtłuczone ucho. Czy mogą Państwo przysłać nowy?
Gdyby łatwiej było zadzwonić: +48 600 100 200.

Pozdrawiam,
Zofia Nowak
"""
QUESTION = "To znowu ja, w sprawie kubka. Czy wysłać zdjęcie?"

FOUR_THREADS = [
    ("EMAIL", "OPENED_TICKET"),
    ("CHAT", "SIGNED_CHAT_IDENTITY"),
    ("MESSENGER", "MESSENGER_LINK"),
    ("PHONE", "CALLER_NUMBER"),
]


async def zofia_writes_a_mail(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell(f"Zofia writes a mail: “{SUBJECT}”")
    scene.first_mail = await scene.zofia.mails(SUBJECT, LETTER)

    async def senders() -> list[str]:
        return [one["contact"]["name"] for one in await scene.ben.inbox()]

    await narrator.see("it is in Ben's inbox", senders, equals=["Zofia Nowak"])
    (first,) = await scene.ben.inbox()
    scene.ticket_id, scene.number = first["id"], first["number"]
    ticket = await scene.ticket()
    scene.contact_id = ticket.shown["contact"]["id"]
    narrator.check(
        f"one ticket, #{scene.number}, one thread: EMAIL", ticket.threads(), equals=FOUR_THREADS[:1]
    )
    (mail,) = ticket.messages("IN")
    narrator.check(
        "every letter of it is there, and the shop's own relay vouches for the sender",
        (ticket.shown["subject"], mail["text"].strip(), mail["senderVerified"]),
        equals=(SUBJECT, LETTER.strip(), True),
    )
    clock: Json | None = ticket.shown["clock"]
    narrator.check(
        f"the clock runs: a first reply within {PROMISE} s",
        clock and (clock["metric"], clock["targetSeconds"]),
        equals=("FIRST_REPLY", PROMISE),
    )
    assert clock
    scene.due_at = datetime.fromisoformat(clock["dueAt"])


async def zofia_opens_the_chat(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("Zofia is signed in on the shop's website, and asks in its chat")
    narrator.check(
        "the chat knows her by the shop's signature", "refused" in scene.chat.greeting, equals=False
    )
    await narrator.awaits("her question is safe", scene.chat.writes(QUESTION))
    narrator.saw("her question is safe: the chat says so")
    await _joins(scene, 2)


async def zofia_sends_a_photo_by_messenger(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("Ben makes a signed m.me link for her; she opens it")
    channels = (await scene.ben.ask("{ channels { id kind } }"))["channels"]
    (page,) = [one["id"] for one in channels if one["kind"] == "MESSENGER"]
    made = await scene.ben.do("messengerLink", "url", contactId=scene.contact_id, channelId=page)
    await scene.zofia.opens(made["url"])
    await narrator.see(
        "the person in Messenger is hers now, on her card",
        scene.shown(lambda ticket: "MESSENGER" in dict(ticket.identities())),
        equals=True,
    )
    narrator.tell("She sends a photo of the mug")
    kept_at = await scene.zofia.sends_a_photo("kubek.png")
    await _joins(scene, 3)
    await narrator.see(
        "the photo is fetched from Meta, where it stays only for days",
        scene.shown(lambda ticket: bool(_photo(ticket)["url"])),
        equals=True,
    )
    theirs = await scene.ben.download(kept_at)
    ours = await scene.ben.download(_photo(await scene.ticket())["url"])
    narrator.check(f"Ben opens it: the same {len(theirs)} bytes", ours, equals=theirs)


async def zofia_rings_and_hangs_up(scene: Scene) -> None:
    narrator = scene.narrator
    narrator.tell("Ben reads her number in the mail, and puts it on her card")
    number = {"channel": "PHONE", "value": "+48 600 100 200"}
    await scene.ben.do("identityLink", "contact { id }", contactId=scene.contact_id, **number)
    ticket = await scene.ticket()
    narrator.check("there it is, by an agent's word", dict(ticket.identities()).get("PHONE"), equals="AGENT")
    narrator.tell("She rings; nobody takes the call; she hangs up")
    await scene.zofia.rings_and_hangs_up()
    await _joins(scene, 4)
    await narrator.see(
        "the timeline, in order: a mail, a chat, a photo, a missed call",
        scene.shown(Ticket.said),
        equals=["EMAIL IN", "CHAT IN", "MESSENGER IN", "PHONE MISSED"],
    )
    ticket = await scene.ticket()
    narrator.check(
        "one contact with one open ticket, and nobody else in the inbox",
        (len(ticket.shown["contact"]["openTickets"]), len(await scene.ben.inbox())),
        equals=(1, 1),
    )


async def _joins(scene: Scene, count: int) -> None:
    """The newest conversation joins the ticket, for the reason that the screen shows."""
    channels = ", ".join(channel for channel, _ in FOUR_THREADS[:count])
    await scene.narrator.see(
        f"{count} threads: {channels}", scene.shown(Ticket.threads), equals=FOUR_THREADS[:count]
    )
    ticket = await scene.ticket()
    scene.narrator.saw(f"Ben reads why: “{ticket.shown['threads'][-1]['joinedBecause']['text']}”")


def _photo(ticket: Ticket) -> Json:
    (photo,) = [photo for message in ticket.messages("IN") for photo in message["attachments"]]
    return photo  # type: ignore[no-any-return]
