"""Everybody behind the doors: who opens what arrived, answers, fetches, watches the clocks, hands out work, and rings phones."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import structlog

from api.house import House
from api.importing.rows import takes
from api.running import Settings
from domain import audit, following
from domain.agents import presence
from domain.alerting.devices import Transport
from domain.answering.absence import Absences
from domain.assigning import handing_out, listening
from domain.calling import calls
from domain.complaints import opening, stalling
from domain.feedback import solving
from domain.feedback.asking import Asker
from domain.finding import indexing
from domain.importing.imports import Importer
from domain.operations import upkeep
from domain.planning import series
from domain.privacy.exporting import Exporter
from domain.privacy.sealing import Sealer
from domain.reporting import keeping
from domain.sla import deadlines, reckoning, recounts
from domain.tagging import renaming
from domain.working import bulk, snoozing
from integrations.courier import Courier
from integrations.mail.receiving.fetching import Fetcher, Pace
from integrations.mail.sending.connections import Relays
from integrations.mail.sending.system import SystemPost
from integrations.mailroom import Mailroom
from integrations.media import Media
from integrations.messenger.profiles import Profiles
from integrations.phone.asterisk.listening import Listener
from integrations.phone.dialler import Dialler
from integrations.scanning.scanner import Scanner
from integrations.subscribers import posting as subscribers
from integrations.subscribers.posting import Subscribers
from notifications import dispatch, pursuit, watch
from notifications.deliver import Pusher
from notifications.fcm import Fcm
from notifications.push import Carrier
from notifications.vapid import vapid_subject
from notifications.web_push import WebPush

log = structlog.get_logger()

WHEELS = (deadlines.WHEEL, pursuit.WHEEL, handing_out.WHEEL, snoozing.WHEEL, series.WHEEL, stalling.WHEEL)

HEED: dict[str, following.Take] = {
    dispatch.NAME: dispatch.dispatch,
    reckoning.READER: reckoning.mend,
    listening.READER: listening.listen,
    opening.READER: opening.notice,
    solving.READER: solving.heed,
}
"""Who reads the history, each from a place of its own."""


@asynccontextmanager
async def working(house: House, settings: Settings) -> AsyncIterator[None]:
    async with await hired(house, settings):
        yield


async def hired(house: House, settings: Settings) -> AbstractAsyncContextManager[None]:
    """Whatever happens from now on is theirs; they begin with it within what is given."""
    async with house.db.transaction() as session:
        for reader in (*HEED, subscribers.READER):
            await following.begin(session, reader)
        await following.begin(session, keeping.READER, following.FROM_THE_FIRST)
        await indexing.begin(session)
    return _at_work(house, settings)


@asynccontextmanager
async def _at_work(house: House, settings: Settings) -> AsyncIterator[None]:
    fcm = Fcm(settings.notifications)
    if not fcm.ready:
        log.warning("pushes_not_configured", missing="HEDDLE_FCM_CREDENTIALS")
    carriers: dict[Transport, Carrier] = {Transport.FCM: fcm}
    if house.vapid:
        subject = vapid_subject(
            settings.notifications, base_url=house.base_url, mail_from=settings.integrations.mail_from
        )
        carriers[Transport.WEB_PUSH] = WebPush(settings.notifications, house.vapid, subject=subject)
    relays = Relays()
    chosen = settings.integrations
    workers = (
        Mailroom(house.db, house.keys, house.files).run(),
        Fetcher(house.db, house.keys, Pace(recheck=chosen.imap_recheck_seconds)).run(),
        Courier(house.db, house.keys, house.files, chosen, relays, house.base_url).run(),
        SystemPost(house.db, house.keys, chosen, relays).run(),
        Scanner(house.db, house.files, chosen.scan_url, required=chosen.scan_required).run(),
        Media(house.db, house.keys, house.files, chosen).run(),
        Profiles(house.db, house.keys, chosen).run(),
        Listener(house.db, house.keys).run(),
        Dialler(house.db, house.keys, chosen, house.base_url).run(),
        Absences(house.db, house.keys).run(),
        Asker(house.db, house.keys, house.base_url).run(),
        Subscribers(house.db, house.keys, chosen).run(),
        Pusher(house.db, house.keys, house.base_url, carriers).run(),
        *(wheel.turn(house.db) for wheel in WHEELS),
        *(following.follow(house.db, name, heed) for name, heed in HEED.items()),
        following.follow_all(house.db, keeping.READER, keeping.take),
        indexing.run(house.db),
        presence.run(house.db),
        calls.sweep(house.db),
        watch.run(house.db, settings.notifications),
        recounts.run(house.db),
        bulk.run(house.db),
        renaming.run(house.db),
        Sealer(house.db, house.keys, house.files).run(),
        Exporter(house.db, house.files).run(),
        Importer(house.db, house.files, takes(house)).run(),
        audit.run(house.db),
        upkeep.run(house.db, house.files),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fcm.close)
        await stack.enter_async_context(relays)
        await stack.enter_async_context(_together(*workers))
        yield


@asynccontextmanager
async def _together(*workers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs them beside the body; one that fails takes the process down, loudly: half a Heddle helps nobody."""
    tasks = [asyncio.create_task(worker) for worker in workers]
    body = asyncio.current_task()

    def watch(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()):
            log.error("worker_failed", exc_info=failure)
            if body:
                body.cancel()

    for task in tasks:
        task.add_done_callback(watch)
    try:
        yield
    finally:
        for task in tasks:
            task.remove_done_callback(watch)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
