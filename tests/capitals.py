"""What the words in capitals stand for that docs/operations and docs/api are written with: a shop that has all of it."""

import json
import re
from datetime import timedelta

from sqlalchemy import select, update

from api.house import House
from domain.agents.staff import Agent
from domain.alerting.devices import Transport, register_device
from domain.alerting.notices import Notice, NoticeKind, deliver
from domain.db import database_time, new_id
from domain.ids import public_id, row_id
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import PASSWORD
from tests.factories import a_mail, receive, tickets
from tests.two_teams import TwoTeams

LINK = "mutation($input: IdentityLinkInput!) { identityLink(input: $input) { contact { identities { id channel } } } }"
WORD = re.compile(r'"([A-Z]+(?:_[A-Z]+)*)"')


async def capitals(house: House, shop: TwoTeams) -> dict[str, str]:
    """What the words in capitals stand for: ids by the names of their types, and what else is asked with."""
    where = await shop.mia.ask(
        "query($id: ID!) { changeCursor ticket(id: $id) { timeline(first: 1) { edges { cursor } } } }",
        id=shop.ids["Ticket"],
    )
    async with house.db.transaction() as session:
        now = await database_time(session)
        line = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.PHONE))).one()
        line.config = {**line.config, "dial_url": "https://pbx.example/dial"}
        await session.execute(update(Agent).values(line=Agent.email))
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        await receive(session, mailbox, a_mail("zofia@example.org", "Do you sell looms?", subject="Looms"))
        others = [one for one in await tickets(session) if public_id("Ticket", one.id) != shop.ids["Ticket"]]
        zofias = others[-1]
        mia = await session.get_one(Agent, row_id("Agent", shop.mia.agent_id))
        device_id = await register_device(
            session, owner=mia.as_actor(), transport=Transport.FCM, handle="mias-phone", label="Mia's phone",
            locale="en", at=now,
        )  # fmt: skip
        notice = Notice(id=new_id(), agent_id=mia.id, kind=NoticeKind.TEST, created_at=now)
        session.add(notice)
        await session.flush()
        delivery = deliver(session, notice, device_id, Transport.FCM, at=now)
    linked = await shop.mia.do(LINK, contactId=shop.ids["Contact"], channel="PHONE", value="+34600100200")
    (number,) = [one for one in linked["contact"]["identities"] if one["channel"] == "PHONE"]
    by_type = {f"{name.upper()}_ID": id for name, id in shop.ids.items()}
    return by_type | {
        "AGENT_ID": shop.ids["Bo"],
        "OTHER_TICKET_ID": public_id("Ticket", zofias.id),
        "OTHER_CONTACT_ID": public_id("Contact", zofias.contact_id),
        "PHONE_IDENTITY_ID": number["id"],
        "MAILBOX_ID": shop.ids["email channel"],
        "DEVICE_ID": public_id("Device", device_id),
        "DELIVERY_ID": public_id("Delivery", delivery.id),
        "TIMELINE_CURSOR": where["ticket"]["timeline"]["edges"][0]["cursor"],
        "CURSOR": where["changeCursor"],
        "NOW": now.isoformat(),
        "TOMORROW": (now + timedelta(days=1)).isoformat(),
        "PASSWORD": PASSWORD,
    }


def filled(text: str, values: dict[str, str]) -> str:
    """A text in which what we know takes the place of the quoted words."""
    return WORD.sub(lambda word: json.dumps(values.get(word[1], word[1])), text)
