"""Goes after notices that nobody has seen: the next device, then mail, then the next person."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.alerting import notices
from domain.alerting.alerts import Alert
from domain.alerting.ladders import Way
from domain.alerting.notices import TOPIC, Notice, NoticeState
from domain.alerting.refusals import Refusal, refusal_of
from domain.operations.installation import nothing_is_held
from domain.wheel import NOW, Wheel
from notifications.alerting import tell_next

BATCH = 100


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
        refusal = await refusal_of(session, notice, at=now)
        if refusal == Refusal.OVER:
            notice.end(NoticeState.OVER)
        elif refusal or not await notices.try_next(session, notice, at=now):
            notice.end(NoticeState.UNSEEN)
            if alert:
                await tell_next(
                    session, alert, [Way(way) for way in notice.ways],
                    rung=notice.rung, level=notice.level, event_seq=notice.event_seq, at=now,
                )  # fmt: skip
    return len(rows)


WHEEL = Wheel(TOPIC, (Notice.next_at,), (pursue,), BATCH, works_if=nothing_is_held)
