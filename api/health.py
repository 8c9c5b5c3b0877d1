"""`/healthz`: the process answers. `/readyz`: and so does its database, in time."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from api.house import House
from domain import auditor
from domain.db import database_time

log = structlog.get_logger()

PATIENCE = 3.0


def routes(house: House) -> list[BaseRoute]:
    async def healthy(request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def ready(request: Request) -> Response:
        try:
            async with asyncio.timeout(PATIENCE), house.db.reading() as connection:
                looked = await auditor.last_look(connection)
                return JSONResponse(
                    {
                        "database": (await database_time(connection)).isoformat(),
                        "promises_proven": looked[1].isoformat() if looked and looked[1] else None,
                    }
                )
        except (OSError, TimeoutError, SQLAlchemyError) as failure:
            log.warning("not_ready", error=type(failure).__name__)
            return JSONResponse({"database": None}, status_code=503)

    return [Route("/healthz", healthy, methods=["GET"]), Route("/readyz", ready, methods=["GET"])]
