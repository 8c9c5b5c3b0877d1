"""`heddle demo`: one customer, four channels, one ticket, a broken promise, and a manager's phone."""

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from demo import answering, arriving, overdue, working
from demo.customer import Customer
from demo.narrator import Narrator
from demo.scene import PROMISE, Scene
from demo.shop import ADDRESS, CHAT, LINE, PAGE, CannotOpen, Shop, shop_at
from demo.staff import Colleague

LONGEST_STORY = 55.0
PATIENT_STORY = 300.0
"""Seconds; the longer where nobody waits for the exit status: a first start compiles and copies a lot."""


async def play(*, once: bool, port: int) -> int:
    """The exit status: 0 only if every step was seen, 2 if the demo could not begin."""
    narrator = Narrator()
    seen = False
    _end_on_signals()
    try:
        async with shop_at(port) as shop:
            seen = await _told(shop, narrator, LONGEST_STORY if once else PATIENT_STORY)
            if seen and not once:
                _what_to_open(shop, narrator)
                await asyncio.Event().wait()
    except CannotOpen as problem:
        print(f"heddle: {problem}", file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        print("\nEnded; nothing is left behind." if seen else "\nEnded in the middle of the story.")
        return 0 if seen else 130
    return 0 if seen else 1


async def _told(shop: Shop, narrator: Narrator, longest: float) -> bool:
    try:
        async with asyncio.timeout(longest):
            await _open(shop, narrator)
            async with _scene(shop, narrator) as scene:
                await tell(scene)
            narrator.end()
    except Exception as why:
        narrator.failed(why, shop.log_tail())
        return False
    return True


async def _open(shop: Shop, narrator: Narrator) -> None:
    narrator.chapter("The shop opens")
    narrator.tell("`heddle serve`, in an empty folder: PostgreSQL, the doors, the workers")
    await shop.start()
    narrator.saw(f"it is ready at {shop.url}")
    narrator.tell("`heddle agent add`, `heddle channel add`, `heddle policy`: two people, four ways in")
    await shop.set_up(PROMISE)
    narrator.saw(f"all done; every customer is promised a first reply within {PROMISE} s")


@asynccontextmanager
async def _scene(shop: Shop, narrator: Narrator) -> AsyncIterator[Scene]:
    """Mia and Ben at work, Mia's app and Zofia's page open."""
    zofia = Customer("Zofia Nowak", "zofia@example.com", shop, phone="+48600100200", psid="24680000000001042")
    eve = Customer("Eve", "eve@example.net", shop)
    async with Colleague("Mia", shop.url) as mia, Colleague("Ben", shop.url) as ben:
        narrator.tell("Mia and Ben sign in; Mia's app says where her phone can be rung")
        await mia.sign_in("mia@shop.example", shop.secrets.mia)
        await ben.sign_in("ben@shop.example", shop.secrets.ben)
        phone = f"{secrets.token_urlsafe(16)}:{secrets.token_urlsafe(48)}"
        device = {"handle": phone, "label": "Mia's phone", "locale": "en"}
        known = await mia.do("deviceRegister", "device { healthy }", transport="FCM", **device)
        narrator.check("Heddle knows them, and the phone", known["device"], equals={"healthy": True})
        async with mia.live() as told, zofia.in_the_chat() as chat:
            yield Scene(narrator, shop, mia, ben, zofia, eve, phone, told, chat)


async def tell(scene: Scene) -> None:
    chapter = scene.narrator.chapter
    chapter("One customer, four channels")
    await arriving.zofia_writes_a_mail(scene)
    await arriving.zofia_opens_the_chat(scene)
    await arriving.zofia_sends_a_photo_by_messenger(scene)
    await arriving.zofia_rings_and_hangs_up(scene)

    chapter("Nobody answers")
    await overdue.mias_phone_rings_in_time(scene)
    await overdue.the_clock_runs_out(scene)
    await overdue.mias_phone_rings_again(scene)
    await overdue.mia_acknowledges(scene)
    await overdue.mia_takes_over(scene)

    chapter("The answers go out")
    await answering.mia_answers_by_the_channel_used_last(scene)
    mail = await answering.mia_answers_by_mail(scene)
    await answering.mia_answers_in_the_chat(scene)
    await answering.zofia_replies_to_the_mail(scene, mail)
    await answering.the_promise_is_settled(scene)

    chapter("And somebody who does not belong")
    await answering.eve_knows_only_the_number(scene)
    await answering.mias_app_was_told(scene)

    chapter("The daily work")
    await working.mia_saves_a_view(scene)
    await working.mia_hands_it_to_ben(scene)
    await working.ben_uses_a_macro(scene)
    await working.zofia_says_what_she_thinks(scene)


def _what_to_open(shop: Shop, narrator: Narrator) -> None:
    narrator.chapter("Heddle stays up: look around")
    places = {
        "Website": f"{shop.website.origin}: write in the chat there, as anybody or as Ada",
        "Tickets": f"{shop.url}/m/tickets",
        "Explorer": f"{shop.url}/graphql",
        "sign in as": f"mia@shop.example, password {shop.secrets.mia} (a manager)",
        "or as": f"ben@shop.example, password {shop.secrets.ben} (an agent)",
        "Mail": f"SMTP at 127.0.0.1:{shop.smtp_port}, to {ADDRESS}",
        "Chat": f"{shop.url.replace('http', 'ws', 1)}/chat/{CHAT}, from the website",
        "Messenger": f"{shop.url}/hooks/messenger/{PAGE}",
        "Phone": f"{shop.url}/hooks/phone/{LINE}/{shop.secrets.phone}",
        "At Meta": f"{shop.graph.url}/_seen: what Heddle sent there",
        "At Google": f"{shop.fcm.url}/_seen: what Heddle pushed",
        "Data": str(shop.folder),
    }
    for name, place in places.items():
        print(f"  {name:<11} {place}")
    print(f"\n  Eve's promise runs out {PROMISE} s after her mail: ask for `alerts` and see it fire.")
    print("  Ctrl-C ends all of it and removes the data.", flush=True)


def _end_on_signals() -> None:
    """Cancels the story, once: what it started is ended in order, undisturbed by a second Ctrl-C."""
    loop, story = asyncio.get_running_loop(), asyncio.current_task()
    stories = [story] if story else []

    def end() -> None:
        while stories:
            stories.pop().cancel()

    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sign, end)
