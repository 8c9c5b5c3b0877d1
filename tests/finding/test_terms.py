"""What each term asks of a ticket."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.staff import Team
from domain.arriving.inbound import CallStep
from domain.customers.contacts import Claim, Contact, IdentityKind, add_identity, normalised
from domain.db import new_id
from domain.desk import spam
from domain.desk.messages import Direction, Message
from domain.desk.threads import Thread
from domain.desk.tickets import NEVER, Ticket, TicketStatus
from domain.finding import names
from domain.finding.asking import is_unsettled, shown
from domain.finding.conditions import Asking
from domain.finding.mistakes import NobodyIsMe, UnknownValue
from domain.finding.query import parse
from domain.ids import public_id
from domain.keys import Keys
from domain.sla import reckoning
from domain.ways_in.channels import ChannelKind
from tests.factories import NOON, a_call_step, a_channel, a_chat, a_mail, a_promise, an_agent, receive
from tests.finding.playing import indexed

ASKED_AT = NOON + timedelta(days=3, hours=1)


@pytest.fixture
async def shop(session: AsyncSession, keys: Keys) -> dict[str, Any]:
    """Five tickets, opened noon after noon: a solved mail, a late VIP's complaint, a chat with an answer, a call, and spam."""
    await a_promise(session, 30 * 3600)
    ben = await an_agent(session, "Ben")
    returns = Team(id=new_id(), name="Returns and claims")
    session.add(returns)
    mailbox, chat, line = [
        await a_channel(session, keys, kind)
        for kind in (ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.PHONE)
    ]
    day = timedelta(days=1)
    await receive(
        session, mailbox, a_mail("ada@example.org", "Order WN-20417 is late", subject="Late", at=NOON)
    )
    mail = a_mail("zofia@example.org", "Buty są za małe", subject="Reklamacja", at=NOON + day)
    await receive(session, mailbox, mail)
    await receive(session, chat, a_chat("s1", "Hola!", at=NOON + 2 * day))
    call = a_call_step("1", CallStep.RINGING, "+48600100200", at=NOON + 3 * day)
    await receive(session, line, call)
    spammer = a_mail("spam@example.net", "Cheap watches", subject="Watches", at=NOON + 3 * day)
    await receive(session, mailbox, spammer)
    late, boots, hola, called, watches = (await session.scalars(select(Ticket).order_by(Ticket.number))).all()
    late.assign(to=ben, by=SYSTEM, at=NOON)
    late.change(by=SYSTEM, at=NOON, status=TicketStatus.SOLVED)
    await reckoning.reckon(session, late, at=NOON)
    boots.change(by=SYSTEM, at=NOON + day, priority=1, add_tags=["Complaint", "very vip"])
    boots.team_id = returns.id
    for contact_id, values in (
        (boots.contact_id, {"is_vip": True, "locale": "pl-PL", "name": "Zofia Nowak"}),
    ):
        await session.execute(update(Contact).where(Contact.id == contact_id).values(values))
    thread = (await session.scalars(select(Thread).where(Thread.ticket_id == hola.id))).one()
    session.add(
        Message(
            id=new_id(), ticket_id=hola.id, contact_id=hola.contact_id, thread_id=thread.id, text="Dígame", at=NOON + 2 * day,
            channel_id=thread.channel_id, direction=Direction.OUT, agent_id=ben.id,
        )
    )  # fmt: skip
    await reckoning.reckon(session, hola, at=NOON + 2 * day)
    await spam.mark(session, watches, by=SYSTEM, at=NOON + 3 * day)
    await session.flush()
    await indexed(session)
    return {"late": late, "boots": boots, "hola": hola, "called": called, "watches": watches, "ben": ben}


async def found(
    session: AsyncSession, shop: dict[str, Any], text: str, at: datetime = ASKED_AT, **asking: Any
) -> set[str]:
    asked = Asking(at, **asking)
    ids = set(await session.scalars(select(Ticket.id).where(shown(parse(text), asked))))
    return {name for name, row in shop.items() if row.id in ids}


ALL = {"late", "boots", "hola", "called"}

HOLDS = {
    "": ALL,
    "is:open": ALL - {"late"},
    "is:unassigned": ALL - {"late"},
    "is:complaint": {"boots"},
    "is:vip": {"boots"},
    "is:spam": {"watches"},
    "is:spam,vip": {"watches", "boots"},
    "is:unread": {"boots"},
    "-is:open": {"late"},
    "status:solved": {"late"},
    "status:new,open -channel:phone": {"boots", "hola"},
    "clock:breached": {"boots"},
    "clock:met": {"hola"},
    "priority:urgent": {"boots"},
    "priority:<=2": {"boots"},
    "priority:>urgent": ALL - {"boots"},
    "channel:phone,chat": {"called", "hola"},
    "assignee:me": {"late"},
    "assignee:BEN@shop.example": {"late"},
    "assignee:ben,none": ALL,
    'team:"returns AND claims"': {"boots"},
    "team:none": ALL - {"boots"},
    "tag:complaint": {"boots"},
    'tag:" Very VIP "': {"boots"},
    "tag:none": ALL - {"boots"},
    "lang:pl": {"boots"},
    "lang:none": ALL - {"boots"},
    "contact:ada@example.org": {"late"},
    "contact:nowak": {"boots"},
    "phone:600100": {"called"},
    "phone:60": set(),
    "order:20417": {"late"},
    "order:600100": set(),
    "age:>2d": {"late", "boots"},
    "age:<25h": {"called"},
    "created:2026-03-02": {"late"},
    "created:>2026-03-02 created:<=2026-03-04": {"boots", "hola"},
    "created:today": {"called"},
    "created:yesterday": {"hola"},
    "updated:<2h": {"called"},
    "but": {"boots"},
    '"za małe"': {"boots"},
    "hola dígame": {"hola"},
    "buty zofia": {"boots"},
    "-buty -late": {"hola", "called"},
    "(buty or late)": {"boots", "late"},
    "-(is:vip or is:open)": {"late"},
    "- …": ALL,
}


async def test_a_term_holds_for_its_tickets(session: AsyncSession, shop: dict[str, Any]) -> None:
    ben = shop.pop("ben")

    answers = {text: await found(session, shop, text, agent_id=ben.id) for text in HOLDS}

    assert answers == HOLDS
    number = shop["boots"].number
    assert await found(session, shop, f"number:{number}") == {"boots"}
    assert await found(session, shop, f"number:>={number}") == ALL - {"late"}
    assert await found(session, shop, f"contact:{public_id('Contact', shop['boots'].contact_id)}") == {
        "boots"
    }
    assert await found(session, shop, "assignee:me") == set()


async def test_an_address_is_found_however_its_domain_is_written(
    session: AsyncSession, shop: dict[str, Any]
) -> None:
    zofia = await session.get_one(Contact, shop["boots"].contact_id)
    address = normalised(IdentityKind.EMAIL, "zofia@żółw.example")
    add_identity(session, zofia, Claim(IdentityKind.EMAIL, address, None), by=SYSTEM, at=NOON)
    await session.flush()

    assert await found(session, shop, "contact:Zofia@Żółw.example") == {"boots"}
    assert await found(session, shop, f"contact:{address}") == {"boots"}


async def test_a_promise_is_ok_then_at_risk_then_broken(session: AsyncSession, shop: dict[str, Any]) -> None:
    begun, states = NOON + timedelta(days=1), ("ok", "risk", "breached")
    shop = {"boots": shop["boots"]}

    seen = [
        [
            state
            for state in states
            if await found(session, shop, f"clock:{state}", at=begun + timedelta(hours=hours))
        ]
        for hours in (1, 29.8, 30, 31)
    ]

    assert seen == [["ok"], ["risk"], ["breached"], ["breached"]]
    assert await found(session, shop, "clock:paused,met,none", at=begun) == set()


async def test_a_day_begins_where_the_asker_is(session: AsyncSession, shop: dict[str, Any]) -> None:
    shop.pop("ben")
    await session.execute(
        update(Ticket)
        .where(Ticket.id == shop["boots"].id)
        .values(created_at=datetime.fromisoformat("2026-03-02T23:30Z"))
    )

    there = await found(session, shop, "created:2026-03-03", zone="Europe/Madrid")

    assert there == {"boots"}
    assert await found(session, shop, "created:2026-03-03") == set()


async def test_names_that_nobody_has_are_refused_and_so_is_me_where_nobody_asks(
    session: AsyncSession, shop: dict[str, Any]
) -> None:
    await names.check(session, parse("assignee:me,ben,none team:none"))

    with pytest.raises(UnknownValue) as wrong:
        await names.check(session, parse('is:open team:"retuns and claims"'))
    with pytest.raises(NobodyIsMe):
        await names.check(session, parse("assignee:me"), nobody_asks=True)

    assert (wrong.value.start, wrong.value.nearest) == (13, "Returns and claims")


async def test_a_ticket_is_due_when_the_first_of_its_running_promises_is(
    session: AsyncSession, shop: dict[str, Any]
) -> None:
    for name in ("late", "boots", "hola", "called"):
        await session.refresh(shop[name])

    assert shop["boots"].due_at == NOON + timedelta(days=2, hours=6)
    assert [shop[name].due_at for name in ("late", "hola")] == [NEVER, NEVER]


@pytest.mark.parametrize(
    ("text", "few"),
    [
        ("is:open tag:x", True), ("(is:unread or status:new,open)", True), ("clock:risk", True), ("buty", False),
        ("status:new,solved", False), ("(is:open or buty)", False), ("-is:open", False), ("clock:met", False),
    ],
)  # fmt: skip
def test_it_is_known_which_queries_hold_for_unsettled_tickets_only(text: str, few: bool) -> None:
    assert is_unsettled(parse(text)) == few
