"""A moment of the shop, with all that it says to the database: everybody works behind the doors, customers write, and each
operation of docs/operations is asked once."""

import asyncio
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from graphql import OperationDefinitionNode, OperationType, parse
from sqlalchemy import func, insert, select

from api.app import application
from api.cursors import cursor
from api.explorer.samples import Sample, samples
from api.house import House
from api.running import Settings
from api.settings import ApiSettings
from api.workers import working
from benchmarks.data.letters import mails, messenger_bodies
from benchmarks.data.loading import Shop
from benchmarks.peers.product import house
from benchmarks.plans.hearing import ASKS, Said, overheard
from domain.agents.staff import Agent
from domain.alerting.alerts import Alert, AlertState
from domain.alerting.devices import Device
from domain.alerting.notices import Delivery
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState
from domain.complaints.complaints import Complaint
from domain.customers.contacts import Identity, IdentityKind
from domain.db import new_id, ring
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import newest_place
from domain.ids import public_id
from domain.settings import DomainSettings
from domain.ways_in.channels import ChannelKind
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings
from tests.answers import learned
from tests.capitals import filled

LETTERS = 8
PATIENCE = 180.0
LOOKS = 8.0
"""Seconds until each of the workers has looked around at least once, after what comes in is done."""
BUSY = ApiSettings.model_construct(operations_per_minute=10**9, undo_seconds=0)


async def a_moment(orders: dict[str, str], shop: Shop) -> list[Said]:
    opened = replace(house(orders), settings=BUSY)
    await opened.db.open()
    try:
        words = await _words(opened, shop)
        with overheard(opened.db) as said:
            async with working(opened, _settings(orders)):
                await _write(opened, shop)
                await _ask_all(opened, shop, words)
                await asyncio.sleep(LOOKS)
        return list(said.values())
    finally:
        await opened.db.close()


def _settings(orders: dict[str, str]) -> Settings:
    return Settings(
        DomainSettings.model_construct(data=Path(orders["folder"])),
        BUSY,
        IntegrationSettings.model_construct(),
        NotificationSettings.model_construct(),
    )


async def _write(opened: House, shop: Shop) -> None:
    """Customers; until all of it lies in tickets."""
    name = uuid.uuid4().hex
    now = datetime.now(UTC)
    letters = [(ChannelKind.EMAIL, one.raw, one.envelope) for one in mails(name, LETTERS)]
    letters += [(ChannelKind.MESSENGER, body, {}) for body in messenger_bodies(name, LETTERS)]
    rows = [
        {
            "id": new_id(), "channel_id": shop.channels[kind].id, "external_id": f"{name}-{place}", "raw": raw,
            "envelope": envelope, "received_at": now, "state": ArrivalState.WAITING, "due_at": now,
        }
        for place, (kind, raw, envelope) in enumerate(letters)
    ]  # fmt: skip
    async with opened.db.transaction() as session:
        await session.execute(insert(Arrival), rows)
        ring(session, ARRIVALS.topic)
    waiting = select(func.count()).where(Arrival.due_at.is_not(None))
    async with asyncio.timeout(PATIENCE):
        while True:
            async with opened.db.reading() as connection:
                if not await connection.scalar(waiting):
                    return
            await asyncio.sleep(0.2)


async def _ask_all(opened: House, shop: Shop, words: dict[str, str]) -> None:
    """Refusals are answers too: what was asked of the database until then is what counts."""
    transport = httpx.ASGITransport(application(opened))
    headers = {"authorization": f"Bearer {shop.token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://heddle.test", headers=headers, timeout=60
    ) as client:
        for one in sorted(samples(), key=lambda one: _kind(one) != OperationType.QUERY):
            if _kind(one) == OperationType.SUBSCRIPTION:
                continue
            asked = json.dumps(one.variables | _otherwise(one))
            variables = json.loads(filled(asked, words | {"UUID": str(uuid.uuid4())}))
            ASKS.set(one.name)
            answer = await client.post("/graphql", json={"query": one.query, "variables": variables})
            words |= learned(answer.json())


def _otherwise(one: Sample) -> dict[str, Any]:
    """Of the times in docs/operations, this shop has seen others."""
    if "range" not in one.variables:
        return {}
    now = datetime.now(UTC)
    return {"range": {"from": (now - timedelta(days=30)).isoformat(), "to": now.isoformat()}}


def _kind(one: Sample) -> OperationType:
    return next(
        node.operation for node in parse(one.query).definitions if isinstance(node, OperationDefinitionNode)
    )


async def _words(opened: House, shop: Shop) -> dict[str, str]:
    """What the words in capitals of docs/operations stand for (`tests/capitals.py`), of this shop."""
    now = datetime.now(UTC)
    async with opened.db.transaction() as session:
        long_one = await session.get_one(Ticket, shop.long_tickets[-1])
        others = (
            await session.scalars(
                select(Ticket).where(Ticket.contact_id != long_one.contact_id).order_by(Ticket.id).limit(1)
            )
        ).one()

        async def first(model: Any, *where: Any) -> str:
            found = await session.scalars(select(model.id).where(*where).order_by(model.id.desc()).limit(1))
            return public_id(model.__name__, found.one())

        return {
            "TICKET_ID": public_id("Ticket", long_one.id),
            "CONTACT_ID": public_id("Contact", long_one.contact_id),
            "OTHER_TICKET_ID": public_id("Ticket", others.id),
            "OTHER_CONTACT_ID": public_id("Contact", others.contact_id),
            "THREAD_ID": await first(Thread, Thread.ticket_id == long_one.id),
            "IDENTITY_ID": await first(Identity, Identity.contact_id == long_one.contact_id),
            "PHONE_IDENTITY_ID": await first(Identity, Identity.kind == IdentityKind.PHONE),
            "ALERT_ID": await first(Alert, Alert.state == AlertState.FIRING),
            "COMPLAINT_ID": await first(Complaint, Complaint.closed_at.is_(None)),
            "AGENT_ID": await first(Agent),
            "DEVICE_ID": await first(Device),
            "DELIVERY_ID": await first(Delivery),
            "TIMELINE_CURSOR": "",
            "CURSOR": cursor(opened, await newest_place(session)),
            "NOW": now.isoformat(),
            "TOMORROW": (now + timedelta(days=1)).isoformat(),
        }
