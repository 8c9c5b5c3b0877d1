"""What customers of a page are called, as far as Meta says so: it may refuse, and then nobody asks again."""

import structlog
from sqlalchemy import select

from domain.answering.delivery_problems import Problem
from domain.customers import name_lookups
from domain.customers.contacts import Identity
from domain.customers.name_lookups import NAME_LOOKUPS, NameLookup
from domain.db import Database, database_time
from domain.hands import work
from domain.keys import Keys
from domain.ways_in.channels import Channel
from domain.work import Lease, TryLater
from integrations.messenger.graph import Graph
from integrations.messenger.page import MessengerPage
from integrations.messenger.refusals import GraphError, Unclear, Unreached
from integrations.settings import IntegrationSettings
from integrations.storable import storable

log = structlog.get_logger()

FIELDS = "first_name,last_name"
PASSES = (Problem.BUSY, Problem.DOWN, Problem.SIGN_IN_NEEDED, Problem.RESTRICTED)


class Profiles:
    def __init__(self, db: Database, keys: Keys, settings: IntegrationSettings) -> None:
        self._db, self._keys, self._settings = db, keys, settings

    async def run(self) -> None:
        await work(self._db, NAME_LOOKUPS, self.look_up)

    async def look_up(self, lookup: NameLookup, lease: Lease[NameLookup]) -> None:
        async with self._db.transaction() as session:
            channel = await session.get_one(Channel, lookup.channel_id)
            person = await session.scalar(select(Identity.value).where(Identity.id == lookup.identity_id))
        name, why = "", None
        if person is not None:
            try:
                name = await self._name(channel, person)
            except GraphError as refusal:
                if refusal.problem in PASSES:
                    raise TryLater(refusal.words, after=refusal.after) from refusal
                log.info("name_refused", id=str(lookup.id), code=refusal.code)
                why = refusal.words
            except (Unreached, Unclear) as failure:
                raise TryLater(str(failure)) from failure
        async with self._db.transaction() as session:
            await lease.settle(session, last_error=why)
            if name:
                await name_lookups.found(session, lookup.identity_id, name, at=await database_time(session))

    async def _name(self, channel: Channel, person: str) -> str:
        graph = Graph.of(MessengerPage.of(channel, self._keys), self._settings)
        answer = await graph.do(lambda client: client.get_user_data(person, fields=FIELDS))
        return storable(" ".join(str(answer.get(part) or "") for part in FIELDS.split(","))).strip()
