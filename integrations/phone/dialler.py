"""Asks each line's provider for the calls that somebody here wants made: once, and never again.

A second try could ring somebody twice. So what surely was not taken is given up at once, and where that is not known, who
asked for the call is told so.
"""

from collections.abc import Awaitable, Callable

import httpx
import structlog
from cryptography.fernet import InvalidToken
from pydantic import ValidationError

from domain.agents.staff import Agent
from domain.calling import dialling
from domain.calling.dials import DIALS, PROMPT, Dial, DialState, is_ours
from domain.certificates import trusted
from domain.db import Database, database_time
from domain.desk.messages import Call
from domain.hands import work
from domain.keys import Keys
from domain.languages import N_
from domain.ways_in.channels import Channel
from domain.work import Lease
from integrations.outbound import MaybeSent, SendFailed, SendRefused
from integrations.phone import client as generic
from integrations.phone.asterisk import client as asterisk
from integrations.phone.calling import UNSURE, CallMeans, Order
from integrations.phone.line import PhoneLine
from integrations.phone.twilio import client as twilio
from integrations.settings import IntegrationSettings

log = structlog.get_logger()

HANDS = 4
TIMEOUT = httpx.Timeout(15.0, connect=5.0)


Asker = Callable[[Order, CallMeans], Awaitable[str | None]]
"""What the provider calls it, where it does not go by our id. Refuses as senders do (`integrations/outbound.py`)."""

ASKERS: dict[str, Asker] = {"generic": generic.dial, "twilio": twilio.dial, "asterisk": asterisk.dial}


class Dialler:
    def __init__(self, db: Database, keys: Keys, settings: IntegrationSettings, base_url: str) -> None:
        self._db = db
        self._keys = keys
        self._settings = settings
        self._base_url = base_url

    async def run(self) -> None:
        async with httpx.AsyncClient(
            timeout=TIMEOUT, verify=trusted(), follow_redirects=False, trust_env=False
        ) as self._http:
            await work(self._db, DIALS, self.dial, hands=HANDS)

    async def dial(self, dial: Dial, lease: Lease[Dial]) -> None:
        if dial.state == DialState.ASKED:
            await self._unknown(dial, lease, UNSURE)
            return
        try:
            order = await self._order(dial)
            async with self._db.transaction() as session:
                await lease.hold(session, state=DialState.ASKED)
        except SendRefused as refusal:
            await self._refused(dial, lease, str(refusal))
            return
        try:
            name = await ASKERS[order.line.provider](
                order, CallMeans(self._http, self._settings, self._base_url)
            )
        except MaybeSent as doubt:
            await self._unknown(dial, lease, str(doubt))
        except (SendRefused, SendFailed) as refusal:
            await self._refused(dial, lease, str(refusal))
        except Exception as failure:
            log.error("dialling_failed", id=str(dial.id), exc_info=failure)
            await self._unknown(dial, lease, f"{UNSURE}\n{type(failure).__name__}")
        else:
            await self._made(dial, lease, name)

    async def _order(self, dial: Dial) -> Order:
        async with self._db.transaction() as session:
            call = await session.get_one(Call, dial.call_id)
            agent = await session.get(Agent, call.agent_id) if call.agent_id else None
            channel = await session.get_one(Channel, call.channel_id)
            late = await database_time(session) - call.at > PROMPT
        if late or call.ended_at:
            raise SendRefused(N_("It could not be made in time."))
        if channel.disabled_at or agent is None or not agent.line or not call.number:
            raise SendRefused(N_("The line or the agent's telephone is not there any more."))
        try:
            line = PhoneLine.of(channel, self._keys)
        except (ValidationError, InvalidToken) as problem:
            raise SendRefused(N_("The line's settings cannot be read.")) from problem
        return Order(call.external_id or "", channel.slug, line, agent.line, call.number)

    async def _made(self, dial: Dial, lease: Lease[Dial], name: str | None) -> None:
        async with self._db.transaction() as session:
            await lease.settle(session, state=DialState.MADE, last_error=None)
            if name and not is_ours(name):
                call = await session.get_one(Call, dial.call_id, with_for_update=True)
                call.external_id = name

    async def _unknown(self, dial: Dial, lease: Lease[Dial], why: str) -> None:
        log.warning("dial_unknown", id=str(dial.id))
        async with self._db.transaction() as session:
            await lease.settle(session, state=DialState.UNKNOWN, last_error=why[:500])
            call = await session.get_one(Call, dial.call_id)
            dialling.tell_unknown(call, at=await database_time(session))

    async def _refused(self, dial: Dial, lease: Lease[Dial], why: str) -> None:
        log.warning("dial_refused", id=str(dial.id))
        async with self._db.transaction() as session:
            await lease.give_up(session, error=why[:500])
            call = await session.get_one(Call, dial.call_id)
            await dialling.not_made(session, call, at=await database_time(session))
