"""What a house that stays up does now and then."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy import delete, func
from sqlalchemy.exc import SQLAlchemyError

from domain import following
from domain.agents.sign_in import LONGEST
from domain.agents.tries import FORGOTTEN, Try
from domain.alerting import devices
from domain.answering import uploads
from domain.arriving.parts import KEPT_FOR as PARTS_KEPT_FOR
from domain.arriving.parts import TextPart
from domain.calling import early_calls
from domain.customers import visitors
from domain.db import Database, database_time
from domain.desk import revisions
from domain.desk.files import Files
from domain.events import ensure_partitions
from domain.importing import imports
from domain.once import Done
from domain.privacy import erasure, exports, retention
from domain.tagging import renaming
from domain.ways_in import channels
from domain.webhooks import KEPT_FOR, Post
from domain.working import drafts, edits, viewing

log = structlog.get_logger()

EVERY = 6 * 3600.0
REMEMBERED = timedelta(hours=24)
"""How long a `clientMutationId` is known."""


async def run(db: Database, files: Files) -> None:
    while True:
        try:
            async with db.transaction() as session:
                now = await database_time(session)
                await ensure_partitions(session, now.date())
                await session.execute(delete(Done).where(Done.at < func.now() - REMEMBERED))
                await session.execute(delete(Try).where(Try.last_at < func.now() - FORGOTTEN))
                await session.execute(
                    delete(TextPart).where(TextPart.created_at < func.now() - PARTS_KEPT_FOR)
                )
                await session.execute(delete(Post).where(Post.created_at < func.now() - KEPT_FOR))
                await devices.forget_sign_ins(session, before=now - 2 * LONGEST)
                await channels.forget_retired(session)
                await early_calls.forget(session, at=now)
                await erasure.destroy_due(session, at=now)
                await exports.discard_old(session, files, at=now)
                await uploads.sweep(session, files, at=now)
                await imports.sweep(session, files)
                await revisions.sweep(session, at=now)
                await visitors.forget_silent(session, at=now)
                await drafts.forget_empty(session, at=now)
                await viewing.forget_lapsed(session)
                await edits.forget_old(session, at=now)
                await renaming.forget_old(session, at=now)
                await following.forget_left_out(session, at=now)
            await retention.apply(db, files)
        except (SQLAlchemyError, OSError) as failure:
            log.warning("upkeep_put_off", error=type(failure).__name__)
        await asyncio.sleep(EVERY)
