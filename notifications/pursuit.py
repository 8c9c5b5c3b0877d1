"""Goes after notices that nobody has seen: the next device, then mail, then the next person; and the hourly digest."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import notices
from domain.alerts import WARNINGS, Alert, AlertState
from domain.clocks import ladder_of
from domain.db import new_id
from domain.installation import nothing_is_held
from domain.ladders import Way
from domain.notices import TOPIC, Notice, NoticeKind, NoticeState
from domain.wheel import NOW, Wheel
from notifications.dispatch import concern_of, tell_next
from notifications.recipients import named_by, people_of_the_shop, who_may_see

BATCH = 100
AN_HOUR = timedelta(hours=1)


async def pursue(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Looks at the notices whose minute is over; how many. None while pushes are held: nobody could have seen them."""
    now = at or (await session.execute(select(NOW))).scalar_one()
    due = await session.execute(
        select(Notice, Alert)
        .outerjoin(Alert, Alert.id == Notice.alert_id)
        .where(Notice.next_at <= now, nothing_is_held)
        .order_by(Notice.next_at)
        .limit(BATCH)
        .with_for_update(of=Notice, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = due.all()
    for notice, alert in rows:
        if alert and alert.state != AlertState.FIRING:
            notice.end(NoticeState.OVER)
        elif not await notices.try_next(session, notice, at=now):
            notice.end(NoticeState.UNSEEN)
            if alert:
                await tell_next(
                    session, alert, rung=notice.rung, level=notice.level, event_seq=notice.event_seq, at=now
                )
    return len(rows)


WHEEL = Wheel(TOPIC, (Notice.next_at,), (pursue,), BATCH, works_if=nothing_is_held)


async def digest(session: AsyncSession, *, at: datetime) -> int:
    """Once an hour, to those on the last step: how many alerts have climbed to the end unanswered."""
    told_lately = exists().where(Notice.alert_id == Alert.id, Notice.created_at > at - AN_HOUR)
    found = await session.scalars(
        select(Alert).where(
            Alert.state == AlertState.FIRING,
            Alert.next_at.is_(None),
            Alert.kind.not_in(WARNINGS),
            ~told_lately,
        )
    )
    people = await people_of_the_shop(session, at=at)
    counts: dict[uuid.UUID, int] = {}
    for alert in found.all():
        ladder = await ladder_of(session, alert)
        concern = await concern_of(session, alert.ticket_id)
        for agent_id in await who_may_see(session, named_by(ladder.top, people, concern), alert.ticket_id):
            counts[agent_id] = counts.get(agent_id, 0) + 1
    hour = at.replace(minute=0, second=0, microsecond=0)
    told = 0
    lately = set(
        await session.scalars(
            select(Notice.agent_id).where(Notice.kind == NoticeKind.DIGEST, Notice.created_at > at - AN_HOUR)
        )
    )
    for agent_id, count in counts.items():
        if agent_id in lately:
            continue
        added = insert(Notice).values(
            id=new_id(), agent_id=agent_id, kind=NoticeKind.DIGEST, period=hour, count=count, level=3,
            state=NoticeState.TRYING, created_at=at,
        ).on_conflict_do_nothing().returning(Notice.id)  # fmt: skip
        id = await session.scalar(added)
        if id:
            notice = await session.get_one(Notice, id)
            await notices.begin(session, notice, (Way.PUSH, Way.EMAIL), at=at)
            told += 1
    return told
