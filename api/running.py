"""Heddle, put together from its settings: the database, the doors, and those who work behind them."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

import structlog
from dotenv import dotenv_values
from sqlalchemy.exc import DBAPIError

from api.house import House
from api.settings import ApiSettings
from domain import audit, following
from domain.agents import presence
from domain.alerting.devices import Transport
from domain.answering.absence import Absences
from domain.assigning import handing_out, listening
from domain.calling import calls
from domain.db import Database, database_time
from domain.desk.files import Files
from domain.keys import open_keys
from domain.migrations import migrate
from domain.operations import upkeep
from domain.operations.installation import feed_epoch
from domain.operations.postgres import embedded
from domain.privacy.exports import Exporter
from domain.privacy.sealing import Sealer
from domain.settings import DomainSettings, WrongSetting, load
from domain.sla import clocks, deadlines, recounts
from integrations.courier import Courier
from integrations.mail.receiving import smtp_in
from integrations.mail.receiving.fetching import Fetcher, Pace
from integrations.mail.sending.connections import Relays
from integrations.mail.sending.system import SystemPost
from integrations.mailroom import Mailroom
from integrations.media import Media
from integrations.messenger.profiles import Profiles
from integrations.orders import orders_in
from integrations.phone.asterisk.listening import Listener
from integrations.phone.dialler import Dialler
from integrations.settings import IntegrationSettings
from integrations.subscribers import posting as subscribers
from integrations.subscribers.posting import Subscribers
from notifications import dispatch, pursuit, watch
from notifications.deliver import Pusher
from notifications.fcm import Fcm, read_credentials
from notifications.push import Carrier
from notifications.settings import NotificationSettings
from notifications.vapid import vapid_key, vapid_subject
from notifications.web_push import WebPush

log = structlog.get_logger()


@dataclass(frozen=True)
class Settings:
    domain: DomainSettings
    api: ApiSettings
    integrations: IntegrationSettings
    notifications: NotificationSettings


ROOMS = (DomainSettings, ApiSettings, IntegrationSettings, NotificationSettings)


def unknown_settings() -> Iterator[tuple[str, str | None]]:
    """HEDDLE_… names that are set and mean nothing, and what each may have been meant to be."""
    known = {f"HEDDLE_{name.upper()}" for room in ROOMS for name in room.model_fields}
    known.add("HEDDLE_TEST_DATABASE_URL")  # of the test suite
    given = {
        name.upper() for name in (*os.environ, *dotenv_values(".env")) if name.upper().startswith("HEDDLE_")
    }
    for name in sorted(given - known):
        yield name, next(iter(get_close_matches(name, known, 1)), None)


def load_settings() -> Settings:
    """All of them, before anything starts: a wrong one is one sentence that names its variable."""
    settings = Settings(
        load(DomainSettings), load(ApiSettings), load(IntegrationSettings), load(NotificationSettings)
    )
    read_credentials(settings.notifications)
    for name, meant in unknown_settings():
        log.warning("unknown_setting", name=name, did_you_mean=meant)
    return settings


@contextmanager
def database_url(settings: DomainSettings) -> Iterator[str]:
    """The address of the database of the settings; embedded, it runs as long as somebody is in here."""
    if settings.database_url:
        yield settings.database_url
        return
    settings.data.mkdir(parents=True, exist_ok=True)
    with embedded(settings.data) as url:
        yield url


@asynccontextmanager
async def opened(settings: Settings, url: str) -> AsyncIterator[House]:
    """The house over a database that is up to date."""
    keys, orders = open_keys(settings.domain), orders_in(settings.integrations.orders)
    db = Database(url)
    try:
        await _reach(db)
        await migrate(db)
        await db.open()
        files = Files(settings.domain.data / "files")
        async with db.transaction() as session:
            epoch = await feed_epoch(session)
            vapid = await vapid_key(session, keys)
        yield House(
            db,
            keys,
            files,
            settings.domain.base_url,
            epoch=epoch,
            private_webhooks=settings.integrations.webhooks_private,
            pushing=settings.notifications,
            integrations=settings.integrations,
            vapid=vapid,
            settings=settings.api,
            orders=orders,
        )
    finally:
        await db.close()


@asynccontextmanager
async def house_here(settings: Settings | None = None) -> AsyncIterator[tuple[House, Settings]]:
    """The house of this machine's settings."""
    settings = settings or load_settings()
    with database_url(settings.domain) as url:
        async with opened(settings, url) as house:
            yield house, settings


@asynccontextmanager
async def database_here(settings: Settings) -> AsyncIterator[Database]:
    """Its database as it is: not brought up to date."""
    with database_url(settings.domain) as url:
        db = Database(url)
        try:
            await _reach(db)
            yield db
        finally:
            await db.close()


async def _reach(db: Database) -> None:
    try:
        async with db.reading() as connection:
            await database_time(connection)
    except (OSError, DBAPIError) as failure:
        said = str(getattr(failure, "orig", failure)).splitlines()[0]
        raise WrongSetting(f"HEDDLE_DATABASE_URL: no database answers there ({said}).") from failure


@asynccontextmanager
async def working(house: House, settings: Settings) -> AsyncIterator[None]:
    """Everybody behind the doors: who opens what arrived, answers, fetches, watches the clocks, and rings phones."""
    fcm = Fcm(settings.notifications)
    if not fcm.ready:
        log.warning("pushes_not_configured", missing="HEDDLE_FCM_CREDENTIALS")
    carriers: dict[Transport, Carrier] = {Transport.FCM: fcm}
    if house.vapid:
        subject = vapid_subject(
            settings.notifications, base_url=house.base_url, mail_from=settings.integrations.mail_from
        )
        carriers[Transport.WEB_PUSH] = WebPush(settings.notifications, house.vapid, subject=subject)
    async with house.db.transaction() as session:
        for reader in (dispatch.NAME, subscribers.READER, clocks.READER, listening.READER):
            await following.begin(session, reader)
    relays = Relays()
    workers = (
        Mailroom(house.db, house.keys, house.files).run(),
        Fetcher(house.db, house.keys, Pace(recheck=settings.integrations.imap_recheck_seconds)).run(),
        Courier(house.db, house.keys, house.files, settings.integrations, relays, house.base_url).run(),
        SystemPost(house.db, house.keys, settings.integrations, relays).run(),
        Media(house.db, house.keys, house.files, settings.integrations).run(),
        Profiles(house.db, house.keys, settings.integrations).run(),
        Listener(house.db, house.keys).run(),
        Dialler(house.db, house.keys, settings.integrations, house.base_url).run(),
        calls.sweep(house.db),
        deadlines.WHEEL.turn(house.db),
        handing_out.WHEEL.turn(house.db),
        pursuit.WHEEL.turn(house.db),
        watch.run(house.db, settings.notifications),
        recounts.run(house.db),
        presence.run(house.db),
        following.follow(house.db, clocks.READER, clocks.mend),
        following.follow(house.db, listening.READER, listening.listen),
        following.follow(house.db, dispatch.NAME, dispatch.dispatch),
        Subscribers(house.db, house.keys, settings.integrations).run(),
        Pusher(house.db, house.keys, house.base_url, carriers).run(),
        upkeep.run(house.db, house.files),
        Sealer(house.db, house.keys, house.files).run(),
        Exporter(house.db, house.files).run(),
        Absences(house.db, house.keys).run(),
        audit.run(house.db),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fcm.close)
        await stack.enter_async_context(relays)
        await stack.enter_async_context(_together(*workers))
        yield


@asynccontextmanager
async def mail_door(house: House, settings: Settings) -> AsyncIterator[None]:
    """Where relays hand over mail, by SMTP and by LMTP, as far as there is a port for it."""
    chosen, guests = settings.integrations, smtp_in.Guests()
    ports = {"HEDDLE_SMTP_IN_PORT": chosen.smtp_in_port, "HEDDLE_LMTP_PORT": chosen.lmtp_port}
    host, servers = chosen.smtp_in_host, []
    try:
        for name, port in ports.items():
            if port is None:
                continue
            try:
                server = await smtp_in.listen(
                    house.db,
                    house.keys,
                    host=host,
                    port=port,
                    hostname=urlsplit(house.base_url).hostname or "heddle",
                    lmtp=name == "HEDDLE_LMTP_PORT",
                    guests=guests,
                )
            except OSError as failure:
                raise WrongSetting(
                    f"{name}: {host}:{port} cannot be listened on: {failure.strerror}."
                ) from failure
            servers.append(server)
        yield
    finally:
        for server in servers:
            server.close()
        guests.dismiss()
        for server in servers:
            await server.wait_closed()


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
