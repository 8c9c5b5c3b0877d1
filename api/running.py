"""Heddle, put together from its settings: the database, the doors, and those who work behind them."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

import structlog
from dotenv import dotenv_values
from sqlalchemy.exc import DBAPIError

from api.house import House
from api.settings import ApiSettings
from domain.db import Database, database_time
from domain.desk.buckets import files_of
from domain.finding.furnishing import furnish
from domain.keys import open_keys
from domain.migrations import migrate
from domain.operations.installation import feed_epoch
from domain.operations.postgres import embedded
from domain.settings import DomainSettings, WrongSetting, load
from integrations.mail.receiving import smtp_in
from integrations.orders import orders_in
from integrations.settings import IntegrationSettings
from notifications.fcm import read_credentials
from notifications.settings import NotificationSettings
from notifications.vapid import vapid_key

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
    known |= {"HEDDLE_URL", "HEDDLE_TOKEN"}  # of the programs that docs/api shows
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
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise WrongSetting(
            f"HEDDLE_DATA is wrong: {settings.data} is no folder and cannot be made one ({failure.strerror})."
        ) from None
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
        files = files_of(settings.domain, scanned=bool(settings.integrations.scan_url))
        async with db.transaction() as session:
            epoch = await feed_epoch(session)
            await furnish(session)
            vapid = await vapid_key(session, keys)
        yield House(
            db,
            keys,
            files,
            settings.domain.base_url,
            epoch=epoch,
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
