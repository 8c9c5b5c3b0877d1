"""Once a minute: the auditor looks, digests go out, and the world outside hears that the promises are watched."""

import asyncio

import httpx
import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain import auditor
from domain.alerting import outages
from domain.certificates import trusted
from domain.db import Database, database_time
from notifications.digest import digest
from notifications.settings import NotificationSettings
from notifications.tasks_today import tasks_today

log = structlog.get_logger()

LOOK = 5.0
"""Seconds between the moments at which a process asks whether a minute is over."""
PATIENCE = 10.0


async def run(db: Database, settings: NotificationSettings) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE, verify=trusted()) as http:
        while True:
            try:
                await look(db, settings, http)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("watch_waits_for_database", error=type(failure).__name__)
            await asyncio.sleep(LOOK)


async def look(db: Database, settings: NotificationSettings, http: httpx.AsyncClient) -> None:
    async with db.transaction() as session:
        if not await auditor.is_due(session):
            return
        findings = await auditor.look(session)
    async with db.transaction() as session:
        now = await database_time(session)
        await outages.look(session, at=now)
        await digest(session, at=now)
        await tasks_today(session, at=now)
    if not findings.proven:
        log.error("promises_not_proven", untold=findings.untold)
    elif settings.heartbeat_url:
        await _beat(http, settings.heartbeat_url)


async def _beat(http: httpx.AsyncClient, url: str) -> None:
    """Only now: whoever listens notices a watch that died, or that cannot vouch for the promises."""
    try:
        (await http.get(url)).raise_for_status()
    except httpx.HTTPError as failure:
        log.warning("heartbeat_not_heard", error=type(failure).__name__)
