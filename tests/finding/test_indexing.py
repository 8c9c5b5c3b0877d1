"""The index is what is written: a moment later, and no longer than it stands there."""

import asyncio
import random
import uuid
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM, Actor, ActorKind, Role
from domain.agents.staff import Team
from domain.arriving.afterwards import InboundEdit, InboundUnsent
from domain.customers.companies import Company
from domain.db import Database, new_id
from domain.desk.messages import Message
from domain.events import Event
from domain.finding import indexing
from domain.finding.conditions import Asking
from domain.finding.indexing import Fill
from domain.finding.query import parse
from domain.finding.searching import Hit, SearchKind, search
from domain.finding.snippets import snippet, sought_in
from domain.joining import undoing
from domain.joining.merging import merge_contacts, merge_tickets
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import NOON, a_channel, a_mail, a_messenger_message, an_agent, contacts, receive, tickets
from tests.finding.playing import indexed


async def followed(session: AsyncSession) -> None:
    """As the history told it; the feed itself shows nothing while this transaction runs."""
    await session.flush()
    await indexing.take(session, (await session.scalars(select(Event).order_by(Event.seq))).all())


async def hits(session: AsyncSession, text: str, to: Actor = SYSTEM) -> list[Hit]:
    everything = set(SearchKind)
    return await search(
        await session.connection(), parse(text), kinds=everything, to=to, asking=Asking(NOON), first=20
    )


async def kinds(session: AsyncSession, text: str, to: Actor = SYSTEM) -> set[SearchKind]:
    return {hit.kind for hit in await hits(session, text, to)}


async def test_what_changes_is_found_as_it_is_now(session: AsyncSession, keys: Keys) -> None:
    page = await a_channel(session, keys, ChannelKind.MESSENGER)
    await receive(session, page, a_messenger_message("p1", "Where is my umbrella?", external_id="m1"))
    (ticket,), (person,) = await tickets(session), await contacts(session)
    firm = Company(
        id=new_id(), name="Analytical Engines", domains=[], note="", created_at=NOON, updated_at=NOON
    )
    session.add(firm)
    await session.flush()
    person.change(by=SYSTEM, at=NOON, name="Ada Byron", company_id=firm.id)
    ticket.note("Seen in the warehouse", by=SYSTEM, at=NOON)
    await followed(session)
    assert await kinds(session, "umbrella") == {SearchKind.MESSAGE, SearchKind.TICKET}
    assert await kinds(session, "byron engines") == {SearchKind.CONTACT}
    assert await kinds(session, "warehouses") == {SearchKind.NOTE}

    edit = InboundEdit(
        thread_key="p1", external_id="m1", at=NOON, text="Where is my parasol?", number=1, from_shop=False
    )
    await receive(session, page, edit)
    firm.change(by=SYSTEM, at=NOON, name="Difference Engines")
    await followed(session)

    assert await hits(session, "umbrella") == []
    assert await kinds(session, "parasol") == {SearchKind.MESSAGE, SearchKind.TICKET}
    assert await hits(session, "analytical") == []
    assert await kinds(session, "difference") == {SearchKind.CONTACT}

    await receive(session, page, InboundUnsent(thread_key="p1", external_id="m1", at=NOON, from_shop=False))
    await followed(session)

    assert await hits(session, "parasol") == []


async def test_who_and_what_became_one_is_found_as_one_and_after_undoing_as_two(
    session: AsyncSession, keys: Keys
) -> None:
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    for name in ("ada", "zofia"):
        await receive(session, mailbox, a_mail(f"{name}@example.org", "Hello", subject=f"From {name}"))
    ada, zofia = await contacts(session)
    hers, others = await tickets(session)

    people = await merge_contacts(session, ada, [zofia], by=mia, at=NOON)
    await merge_tickets(session, hers, [others], by=mia, at=NOON)
    await followed(session)

    found = await hits(session, "zofia@example")
    assert [(hit.kind, hit.id) for hit in found if hit.kind == SearchKind.CONTACT] == [
        (SearchKind.CONTACT, ada.id)
    ]
    about = [hit.id for hit in await hits(session, '"from zofia"') if hit.kind == SearchKind.TICKET]
    assert about == [hers.id]

    await undoing.undo(session, people.id, by=mia, at=NOON)
    await followed(session)

    again = [hit.id for hit in await hits(session, "zofia@example") if hit.kind == SearchKind.CONTACT]
    assert again == [zofia.id]


async def test_what_was_there_before_is_filled_in_from_the_newest_on_and_goes_on_where_it_stopped(
    session: AsyncSession, keys: Keys
) -> None:
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    for number in range(5):
        mail = a_mail(f"{number}@example.org", f"Number{number}", at=NOON + timedelta(hours=number))
        await receive(session, mailbox, mail)
    before, indexing.BATCH = indexing.BATCH, 2
    try:
        await indexing.begin(session)
        steps = 0
        while not await hits(session, "number4"):
            assert await indexing.fill(session)
            steps += 1
        assert await hits(session, "number0") == []

        await indexing.begin(session)  # as after a restart
        while await indexing.fill(session):
            steps += 1
    finally:
        indexing.BATCH = before

    assert len(await hits(session, "number0")) == 1
    assert steps >= 9
    assert not await indexing.fill(session)

    await session.execute(update(Fill).values(rules=0))
    await indexing.begin(session)
    assert await indexing.fill(session), "words are read otherwise than before: all is made anew"


async def test_an_erased_person_is_found_by_nothing(session: AsyncSession, keys: Keys) -> None:
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    await receive(session, mailbox, a_mail("ada@example.org", "Umbrella", subject="Umbrella"))
    await receive(session, mailbox, a_mail("zofia@example.org", "Umbrella", subject="Umbrella"))
    await indexed(session)
    ada, zofia = await contacts(session)

    await indexing.forget_person(session, ada.id)

    left = {hit.ticket_id for hit in await hits(session, "umbrella")}
    assert left == {ticket.id for ticket in await tickets(session) if ticket.contact_id == zofia.id}
    assert await hits(session, "ada@exam") == []


async def test_a_search_tells_another_team_nothing(session: AsyncSession, keys: Keys) -> None:
    support = Team(id=new_id(), name="Support")
    session.add(support)
    await session.flush()
    ben = (await an_agent(session, "Ben", team=support)).as_actor(frozenset({support.id}))
    eve = (await an_agent(session, "Eve")).as_actor()
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    await receive(
        session, mailbox, a_mail("ada@example.org", "Umbrella", subject="Umbrella", sender_name="Ada")
    )
    (ticket,) = await tickets(session)
    ticket.team_id = support.id
    ticket.note("Umbrella stands", by=SYSTEM, at=NOON)
    await session.flush()
    await indexed(session)

    for text in (
        "umbrella",
        "ada",
        "ada@example",
        str(ticket.number),
        "umb",
        '"umbrella stands"',
        "-nothing",
    ):
        assert await hits(session, text, ben), text
        assert await hits(session, text, eve) == [], text
    await receive(session, mailbox, a_mail("zofia@example.org", "Parasol", subject="Parasol"))
    parasol = (await tickets(session))[-1]
    await merge_tickets(session, ticket, [parasol], by=SYSTEM, at=NOON)
    await followed(session)
    assert await kinds(session, "parasol", ben) == {SearchKind.TICKET, SearchKind.MESSAGE}
    assert await hits(session, "parasol", eve) == [], "it became part of what she may not see"
    program = Actor(ActorKind.TOKEN, uuid.uuid4())
    assert await hits(session, "umbrella", program) == []


async def test_our_own_acknowledgements_are_not_found_on_every_ticket(
    session: AsyncSession, keys: Keys
) -> None:
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    await receive(session, mailbox, a_mail("ada@example.org", "Hello"))
    message = (await session.scalars(select(Message))).one()
    message.automatic, message.text, message.direction = True, "We have your message", message.direction.OUT
    await session.flush()

    await indexed(session)

    assert await hits(session, "we have your message") == []


async def test_no_text_keeps_others_from_the_index_and_no_words_break_a_search(
    session: AsyncSession, keys: Keys
) -> None:
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    long = " ".join(
        f"{'ść' * 20}{number:05}" if number % 2 else f"{'abcdefgh' * 5}{chr(97 + number % 26) * 5}"
        for number in range(6_000)
    )
    dice = random.Random(1)
    distinct = " ".join("".join(dice.choices("abcdefghijklmnoprstuwyz", k=48)) for _ in range(6_000))
    odd = "it's a \\ 'quoted' \\' & | ! :* <-> 🦜 l·l ﷽ " + "\u0130" * 30
    for place, text in enumerate((long, distinct, odd, "umbrella")):
        await receive(session, mailbox, a_mail(f"{place}@example.org", text))

    await indexed(session)

    assert await kinds(session, "umbrella") == {SearchKind.MESSAGE}
    for said in (
        "it's",
        "\\",
        "'",
        "a&b|!c:*",
        "quoted'",
        "🦜",
        "''; --",
        '"it\'s a"',
        "l.l",
        "%",
        "#",
        "@",
        "+",
        "x" * 900,
    ):
        await hits(session, said)
    assert await hits(session, "quoted")


def test_a_snippet_is_plain_text_around_the_first_place_with_the_words_marked() -> None:
    text = (
        "Dzień dobry. " * 20
        + "Paczki <b>nie</b> ma, proszę o zwrot pieniędzy na numer 601-234-567. "
        + "Pozdrawiam. " * 20
    )

    piece = snippet(text, sought_in(parse("paczka pieniadze 601 234 -zwrot")))

    assert "<b>nie</b>" in piece.text
    assert piece.text.startswith("…")
    assert piece.text.endswith("…")
    assert [piece.text[start:end] for start, end in piece.marks] == ["Paczki", "pieniędzy", "601", "234"]
    assert snippet("Bon dia", sought_in(parse("paczka"))).marks == []


async def test_the_history_is_followed_by_one_and_the_rest_wait(clean: Database, keys: Keys) -> None:
    async with clean.transaction() as session:
        await indexing.begin(session)
        await session.execute(update(Fill).values(done_at=NOON))
        mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    async with clean.transaction() as session:
        await receive(
            session, await session.get_one(Channel, mailbox.id), a_mail("ada@example.org", "Umbrella")
        )
    workers = [asyncio.create_task(indexing.run(clean)) for _ in range(2)]

    async with asyncio.timeout(20):
        found: list[Hit] = []
        while not found:
            await asyncio.sleep(0.05)
            async with clean.transaction() as session:
                found = await hits(session, "umbrella")
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)

    assert {hit.kind for hit in found} == {SearchKind.MESSAGE}
