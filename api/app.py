"""The web application: every door of Heddle that speaks HTTP."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api import files, graphql_http, password
from api.house import House
from domain.db import database_time
from integrations.chat import socket as chat
from integrations.messenger import webhook as messenger
from integrations.phone import webhook as phone


def application(house: House) -> FastAPI:
    app = FastAPI(title="Heddle", docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(
        [
            Route("/", _home, methods=["GET"]),
            Route("/healthz", _healthy, methods=["GET"]),
            *graphql_http.routes(house),
            *messenger.routes(house.db, house.keys),
            *phone.routes(house.db, house.keys),
            *chat.routes(house.db, house.keys),
            *files.routes(house),
            *password.routes,
        ]
    )

    async def ready(request: Request) -> Response:
        async with house.db.reading() as connection:
            return JSONResponse({"database": (await database_time(connection)).isoformat()})

    app.router.routes.append(Route("/readyz", ready, methods=["GET"]))
    return app


async def _home(request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _healthy(request: Request) -> Response:
    return JSONResponse({"ok": True})
