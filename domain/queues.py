"""All that waits to be worked on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.agents.system_mail import SYSTEM_MAIL
from domain.alerting.notices import PUSHES
from domain.arriving.inbound import ARRIVALS
from domain.calling.dials import DIALS
from domain.customers.name_lookups import NAME_LOOKUPS
from domain.customers.visitors import ABSENCES
from domain.desk.messages import CALLS, FETCHES, OUTBOX
from domain.desk.scans import SCANS
from domain.feedback.requests import SURVEYS
from domain.importing.imports import IMPORTS
from domain.privacy.erasure import ERASURES
from domain.privacy.exports import EXPORTS
from domain.sla.recounts import RECOUNTS
from domain.tagging.changes import TAG_CHANGES
from domain.webhooks import POSTS
from domain.work import Queue
from domain.working.bulk import BULKS

QUEUES: tuple[Queue, ...] = (  # type: ignore[type-arg]
    ARRIVALS, OUTBOX, FETCHES, SCANS, CALLS, DIALS, PUSHES, SYSTEM_MAIL, POSTS, RECOUNTS, EXPORTS, ERASURES, NAME_LOOKUPS, ABSENCES,
    IMPORTS, BULKS, SURVEYS, TAG_CHANGES,
)  # fmt: skip
OUTWARD = tuple(queue for queue in QUEUES if queue.outward)


@dataclass(frozen=True)
class Waiting:
    """In one queue."""

    topic: str
    outward: bool
    count: int
    oldest: datetime | None
    """Since when it is due."""
    later: int
    """That were tried in vain, and wait for another try."""
    failing_since: datetime | None
    """The one of them that has failed for longest."""


async def waiting(connection: AsyncConnection) -> list[Waiting]:
    found = []
    for queue in QUEUES:
        model = queue.model
        due = select(func.count(), func.min(model.due_at)).where(*queue.due())
        count, oldest = (await connection.execute(due)).one()
        failed = select(func.count(), func.min(model.failing_since)).where(
            model.due_at > func.now(), model.failures > 0
        )
        later, failing_since = (await connection.execute(failed)).one()
        found.append(Waiting(queue.topic, queue.outward, count, oldest, later, failing_since))
    return found
