"""Tags, however somebody types them."""

import unicodedata

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.desk import tags
from domain.errors import InvalidInput
from domain.sla.policies import Conditions, Matter, policies_in_order, save_policy
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import NOON, a_mail, a_promise, receive, tickets

TYPED = ["Reklamacja", "REKLAMACJA", " reklamacja\n"]
SPANISH = ["reclamación", "Reclamación", "RECLAMACIÓN", unicodedata.normalize("NFD", "Reclamación")]


def test_capitals_blanks_and_the_way_an_accent_is_written_make_no_other_tag() -> None:
    assert tags.kept(TYPED) == ["reklamacja"]
    assert tags.kept(SPANISH) == ["reclamación"]


@pytest.mark.parametrize("named", SPANISH)
def test_a_policy_for_a_tag_holds_however_it_was_written_there(named: str) -> None:
    matter = Matter(
        channels=[ChannelKind.EMAIL], team_id=None, priority=3, tags=["reclamación"], language=None
    )

    assert Conditions(tags=(named,)).hold(matter)
    assert Conditions.from_json({"tags": [named]}) == Conditions(tags=("reclamación",))


async def test_a_ticket_has_a_tag_once_and_loses_it_however_it_is_typed(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)

    ticket.change(by=SYSTEM, at=NOON, add_tags=[*TYPED, *SPANISH, "mug"])
    assert ticket.tags == ["reklamacja", "reclamación", "mug"]

    ticket.change(by=SYSTEM, at=NOON, remove_tags=["REKLAMACJA", SPANISH[-1], " "])
    assert ticket.tags == ["mug"]


async def test_an_empty_tag_is_refused_of_a_ticket_and_of_a_policy_which_would_hold_always(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    await a_promise(session)
    ((default, _),) = await policies_in_order(session)

    with pytest.raises(InvalidInput) as refused:
        ticket.change(by=SYSTEM, at=NOON, add_tags=[" "])
    assert refused.value.field == ["addTags"]
    with pytest.raises(InvalidInput) as refused:
        await save_policy(session, default.id, conditions=Conditions(tags=(" ",)))
    assert refused.value.field == ["conditions", "tags"]
