"""An identity that turned out to be somebody else's stays so, whatever is undone around it."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Role
from domain.customers.contacts import Contact, Identity, IdentityKind, Proof
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.joining import undoing
from domain.joining.handing_over import hand_over
from domain.joining.merging import merge_contacts
from domain.joining.moves import Move
from domain.joining.reasons import JoinCode
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_mail, a_messenger_message, an_agent, receive, tickets

LATER = NOON + timedelta(days=20)


async def _contact_of(session: AsyncSession, value: str) -> Contact:
    found = await session.scalar(
        select(Contact)
        .join(Identity, Identity.contact_id == Contact.id)
        .where(Identity.value == value)
        .execution_options(populate_existing=True)
    )
    assert found
    return found


async def test_what_was_handed_over_stays_so_when_a_later_merge_is_undone(
    session: AsyncSession, mailbox: Channel, page: Channel
) -> None:
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    for name in ("ada", "zofia", "piotr"):
        await receive(session, mailbox, a_mail(f"{name}@example.org", f"It is {name}", subject=name))
    await receive(session, page, a_messenger_message("p1", "Do you have it in green?"))
    ada, zofia, piotr = [
        await _contact_of(session, f"{name}@example.org") for name in ("ada", "zofia", "piotr")
    ]
    for to in (zofia, ada):
        person = (
            await session.scalars(select(Identity).where(Identity.kind == IdentityKind.MESSENGER))
        ).one()
        await hand_over(session, person, to, JoinCode.LINKED_BY_AGENT, by=mia, at=NOON)
        await session.flush()

    move = await merge_contacts(session, piotr, [ada], by=mia, at=NOON)
    await undoing.undo(session, move.id, by=mia, at=NOON)

    assert (await _contact_of(session, "p1")).id == ada.id
    thread = (await session.scalars(select(Thread).join(Identity).where(Identity.value == "p1"))).one()
    assert thread.contact_id == ada.id
    assert (await session.get_one(Ticket, thread.ticket_id)).contact_id == ada.id


async def test_what_began_while_two_were_one_goes_with_who_began_it(
    session: AsyncSession, mailbox: Channel
) -> None:
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    for name in ("ada", "zofia", "piotr"):
        await receive(session, mailbox, a_mail(f"{name}@example.org", f"It is {name}", subject=name))
    ada, zofia, piotr = [
        await _contact_of(session, f"{name}@example.org") for name in ("ada", "zofia", "piotr")
    ]
    first = await merge_contacts(session, ada, [zofia], by=mia, at=NOON)
    for name, text in (("ada", "How do I return a mug?"), ("zofia", "The invoice of order 200200, please")):
        mail = a_mail(f"{name}@example.org", text, subject=f"{name} later", at=LATER)
        await receive(session, mailbox, mail)
    second = await merge_contacts(session, piotr, [ada], by=mia, at=LATER)

    await undoing.undo(session, first.id, by=mia, at=LATER)

    async def whose() -> dict[str, object]:
        return {ticket.subject: ticket.contact_id for ticket in await tickets(session)}

    assert await whose() == {
        "ada": piotr.id, "zofia": zofia.id, "piotr": piotr.id, "ada later": piotr.id, "zofia later": zofia.id,
    }  # fmt: skip
    await undoing.undo(session, second.id, by=mia, at=LATER)
    assert await whose() == {
        "ada": ada.id, "zofia": zofia.id, "piotr": piotr.id, "ada later": ada.id, "zofia later": zofia.id,
    }  # fmt: skip
    for thread in await session.scalars(select(Thread)):
        assert thread.contact_id == (await session.get_one(Ticket, thread.ticket_id)).contact_id


async def test_the_later_of_two_words_proves_it_when_the_earlier_is_undone(
    session: AsyncSession, mailbox: Channel, page: Channel
) -> None:
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    for name in ("ada", "zofia"):
        await receive(session, mailbox, a_mail(f"{name}@example.org", f"It is {name}", subject=name))
    await receive(session, page, a_messenger_message("p1", "Do you have it in green?"))
    (person,) = await session.scalars(select(Identity).where(Identity.kind == IdentityKind.MESSENGER))
    person.verified_at, person.verified_by = None, None
    for name in ("zofia", "ada"):
        to = await _contact_of(session, f"{name}@example.org")
        said = {"proof": Proof.AGENT, "by": mia, "at": NOON}
        await hand_over(session, person, to, JoinCode.LINKED_BY_AGENT, **said)  # type: ignore[arg-type]
        await session.flush()
    moves = (await session.scalars(select(Move).order_by(Move.id))).all()

    proven: list[Proof | None] = []
    for move in moves:
        await undoing.undo(session, move.id, by=mia, at=NOON)
        await session.refresh(person)
        proven.append(person.verified_by)

    assert len(moves) == 2
    assert proven == [Proof.AGENT, None]
