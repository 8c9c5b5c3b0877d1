"""The shop is opened as `heddle` opens one; what was dealt goes by COPY into the same tables."""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.data.customers import MAILBOX, PAGE, deal_customers
from benchmarks.data.rows import COLUMNS, Rows, no_rows
from benchmarks.data.tickets import Premises, Tickets
from benchmarks.sizes import Sizes
from domain import following
from domain.actors import SYSTEM, Role
from domain.agents.duty import rota_of
from domain.agents.sign_in import SessionKind, SignIn
from domain.agents.staff import Agent, Team, TeamMember, add_agent
from domain.db import Database
from domain.finding import indexing
from domain.finding.furnishing import furnish
from domain.keys import Keys, new_token, token_hash
from domain.reporting import keeping
from domain.sla import policies
from domain.sla.hours import Hours
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import Channel, ChannelKind, add_channel
from integrations.channel_settings import read_settings

SEED = 20260302
PEOPLE = 12
BATCH = 5_000
"""Tickets in a transaction."""

APP_SECRET = "the app's secret"
RELAY = "mx.shop.example"
SETTINGS: dict[ChannelKind, dict[str, Any]] = {
    ChannelKind.EMAIL: {
        "address": MAILBOX,
        "authserv_id": RELAY,
        "relays": ["127.0.0.1"],
        "inbound_per_minute": 0,
    },
    ChannelKind.MESSENGER: {
        "page_id": PAGE,
        "page_token": "the page's token",
        "app_secret": APP_SECRET,
        "verify_token": "the verify token",
    },
    ChannelKind.CHAT: {"identity_key": "the shop signs its visitors with this"},
}
OPEN = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


@dataclass(frozen=True)
class Shop:
    tokens: Sequence[str]
    """For `Authorization: Bearer`, of each of those who work here."""
    channels: dict[ChannelKind, Channel]
    long_tickets: Sequence[uuid.UUID]
    """Ids of those with 60 messages."""
    running_clocks: int

    @property
    def token(self) -> str:
        """The manager's."""
        return self.tokens[0]


async def load(db: Database, keys: Keys, sizes: Sizes) -> Shop:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    tokens = [new_token() for _ in range(PEOPLE)]
    async with db.transaction() as session:
        channels = {kind: await _channel(session, keys, kind, now) for kind in SETTINGS}
        premises = await _staffed(session, channels, tokens, now)
    long_tickets: list[uuid.UUID] = []
    connection = await asyncpg.connect(db.url.replace("+asyncpg", ""))
    try:
        # What was dealt points to what is there: asking so for each row would take most of the time.
        await connection.execute("SET session_replication_role = replica")
        for rows in _dealt(sizes, premises, now, long_tickets):
            async with connection.transaction():
                for table, columns in COLUMNS.items():
                    await connection.copy_records_to_table(table, columns=columns, records=rows[table])
        await connection.execute("SELECT setval('ticket_number_seq', $1)", sizes.tickets)
        await connection.execute("VACUUM ANALYZE")
        running = await connection.fetchval("SELECT count(*) FROM clock WHERE next_at IS NOT NULL")
    finally:
        await connection.close()
    async with db.transaction() as session:
        await _caught_up(session)
    return Shop(tokens, channels, long_tickets, running)


def _dealt(sizes: Sizes, premises: Premises, now: datetime, long_tickets: list[uuid.UUID]) -> Iterator[Rows]:
    dice, rows = random.Random(SEED), no_rows()
    customers = list(deal_customers(dice, sizes.contacts, now, rows))
    yield rows
    rows = no_rows()
    tickets = Tickets(dice, premises, customers, now)
    for _ in tickets.deal(sizes.tickets, sizes.messages, rows):
        if len(rows["ticket"]) == BATCH:
            yield rows
            for dealt in rows.values():
                dealt.clear()
    yield rows
    long_tickets += tickets.long_ones


async def _channel(session: AsyncSession, keys: Keys, kind: ChannelKind, now: datetime) -> Channel:
    settings = read_settings(kind, SETTINGS[kind])
    channel = await add_channel(
        session,
        keys,
        kind=kind,
        slug=kind.value,
        name=kind.value.capitalize(),
        address=settings.place(),
        config=settings.config(),
        secrets=settings.secrets(),
        at=now,
    )
    await session.flush()
    return channel


async def _staffed(
    session: AsyncSession, channels: dict[ChannelKind, Channel], tokens: Sequence[str], now: datetime
) -> Premises:
    """Twelve people in three teams, all signed in, most of them at work; the first is a manager."""
    teams = [Team(name=name) for name in ("First line", "Returns", "Wholesale")]
    session.add_all(teams)
    await session.flush()
    agents: list[Agent] = []
    for place, token in enumerate(tokens):
        role = Role.AGENT if place else Role.MANAGER
        email, name = f"agent{place}@shop.example", f"Mia Number{place}"
        agent = await add_agent(session, email=email, name=name, role=role, password_hash=None, at=now)
        session.add(TeamMember(team_id=teams[place % 3].id, agent_id=agent.id))
        agents.append(agent)
        session.add(_signed_in(agent, token, now))
        (await rota_of(session, agent.id)).declare(place % 4 < 3, until=None, by=SYSTEM, at=now)
    policy = await policies.set_default_policy(
        session,
        name="Default",
        hours=Hours.from_json({"zone": "Europe/Madrid", "weekly": OPEN}),
        targets=[Target(Metric.FIRST_REPLY, 4 * 3600)],
    )
    await furnish(session)
    return Premises(
        agents=[agent.id for agent in agents],
        teams=[team.id for team in teams],
        channels={kind: channel.id for kind, channel in channels.items()},
        policy=policy.id,
    )


def _signed_in(agent: Agent, token: str, now: datetime) -> SignIn:
    return SignIn(
        agent_id=agent.id,
        kind=SessionKind.APP,
        token_hash=token_hash(token),
        created_at=now,
        seen_at=now,
        expires_at=now + timedelta(days=1),
    )


async def _caught_up(session: AsyncSession) -> None:
    """Whoever works here goes on from now: statistics and the index of what is searched are not made of what was dealt."""
    await following.begin(session, keeping.READER)
    await indexing.begin(session)
    await session.execute(update(indexing.Fill).values(done_at=func.now()))
