"""The web application: every door of Heddle that speaks HTTP."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from api import files, graphql_http, health, metrics, password
from api.house import House
from api.requests import Requests
from api.telemetry import telemetry
from integrations.chat import socket as chat
from integrations.messenger import webhook as messenger
from integrations.phone import webhook as phone


def application(house: House) -> ASGIApp:
    app = FastAPI(
        title="Heddle",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry=telemetry(house.settings.otlp_url),
    )
    app.router.routes.extend(
        [
            Route("/", _home, methods=["GET"]),
            *graphql_http.routes(house),
            *messenger.routes(house.db, house.keys),
            *phone.routes(house.db, house.keys),
            *chat.routes(house.db, house.keys),
            *files.routes(house),
            *password.routes,
            *health.routes(house),
            *metrics.routes(house),
        ]
    )
    return Requests(app, app.router.routes)


async def _home(request: Request) -> Response:
    return RedirectResponse("/graphql")
