"""The web application: every door of Heddle that speaks HTTP."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from api import graphql_http, health, metrics, mobile, password
from api.alerting import receipts
from api.complaints import case_files
from api.desk import files, upload_links, uploads
from api.feedback import pages as feedback
from api.house import House
from api.privacy import exporting
from api.reporting import links
from api.requests import Requests
from api.telemetry import telemetry
from domain.settings import WrongSetting
from integrations.chat import doors as chat
from integrations.mail import webhook as mail
from integrations.messenger import webhook as messenger
from integrations.phone import webhook as phone
from integrations.phone.twilio import webhook as twilio
from integrations.sms import webhook as sms


def application(house: House) -> ASGIApp:
    app = FastAPI(
        title="Heddle",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=telemetry(house.settings.otlp_url),
    )
    app.router.routes.extend(
        [
            Route("/", _home, methods=["GET"]),
            Route("/favicon.ico", _icon, methods=["GET"]),
            *graphql_http.routes(house),
            *messenger.routes(house.db, house.keys),
            *phone.routes(house.db, house.keys),
            *twilio.routes(house.db, house.keys, house.base_url, house.orders),
            *sms.routes(house.db, house.keys, house.base_url),
            *mail.routes(house.db, house.keys),
            *chat.routes(house.db, house.keys, house.files, house.base_url),
            *files.routes(house),
            *uploads.routes(house),
            *upload_links.routes(house),
            *exporting.routes(house),
            *links.routes(house),
            *case_files.routes(house),
            *password.routes,
            *mobile.routes(house),
            *feedback.routes(house),
            *receipts.routes(house),
            *health.routes(house),
            *metrics.routes(house),
            *_identity_provider(house),
        ]
    )
    return Requests(app, app.router.routes)


def _identity_provider(house: House) -> list[BaseRoute]:
    settings = house.settings
    if not (settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret):
        return []
    try:
        from api import oidc
    except ImportError:
        raise WrongSetting("HEDDLE_OIDC_ISSUER needs Heddle's extra `oidc`: heddle[oidc].") from None
    return oidc.routes(house, settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)


async def _home(request: Request) -> Response:
    return RedirectResponse("/m/tickets")


async def _icon(request: Request) -> Response:
    """Browsers ask for it wherever no page names another."""
    return RedirectResponse("/explorer/heddle.svg")
