"""`POST /push/receipt`: a device says what it did with a push, without a session: the push itself holds the right to."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.house import House
from domain.alerting import ledger
from domain.alerting.notices import DeliveryStage
from domain.db import begin_request
from domain.ids import typed
from integrations.webhook import body_of, well_formed


class Receipt(BaseModel):
    model_config = ConfigDict(extra="forbid")

    d: str
    r: str
    """Both as the push had them."""
    event: Literal["shown", "opened", "acted"]
    at: AwareDatetime | None = None
    """When it happened, for a receipt that waited until there was a network."""


def routes(house: House) -> list[BaseRoute]:
    async def receive(request: Request) -> Response:
        try:
            receipt = Receipt.model_validate(well_formed(await body_of(request)))
        except ValidationError as problem:
            fields = ", ".join(str(error["loc"][0]) for error in problem.errors() if error["loc"])
            return Response(f"wrong or missing: {fields}", 400)
        named = typed(receipt.d)
        if named is None or named[0] != "Delivery" or not house.keys.signed(receipt.r, "receipt", named[1]):
            return Response("no such push", 404)
        async with house.db.transaction() as session:
            now = await begin_request(session)
            at = min(receipt.at or now, now)
            known = await ledger.receive_receipt(session, named[1], DeliveryStage(receipt.event), at=at)
        return Response(status_code=204 if known else 404)

    return [Route("/push/receipt", receive, methods=["POST"])]
