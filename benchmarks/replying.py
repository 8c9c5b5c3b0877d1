"""An agent's answers by mail, each on another ticket: written, promised, told to the history, and read again for the screen."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import orjson
from sqlalchemy import func, select, update

from benchmarks.bench import Bench, Measured, Table
from benchmarks.client import ask
from benchmarks.graphql import graphql
from benchmarks.rounds import COLUMNS, Rounds, middle
from benchmarks.screens import operation
from domain.customers.contacts import Identity, IdentityKind
from domain.db import new_id
from domain.desk.messages import DeliveryState, Item, Message
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, Ticket
from domain.ids import public_id

CONNECTIONS = 8
WARMING = 40


async def measure(bench: Bench) -> Measured:
    places = await answerable(bench)
    rounds, answered = Rounds(), 1
    document = operation("Send")
    posts = (graphql(bench, document, input=said) for said in inputs(places))
    said = orjson.loads(await ask(bench.product.port, next(posts)))
    if said.get("errors") or said["data"]["messageSend"]["userErrors"]:
        raise RuntimeError(f"an answer was refused: {said}")
    warming = [next(posts) for _ in range(WARMING)]
    answered += await Rounds().add(
        bench.product, bench.postgres, warming, connections=CONNECTIONS, seconds=30
    )
    for _ in range(bench.sizes.rounds):
        answered += await rounds.add(
            bench.product,
            bench.postgres,
            [next(posts) for _ in range(bench.sizes.requests)],
            connections=CONNECTIONS,
            seconds=bench.sizes.seconds,
        )
    await _count_and_settle(bench, answered)
    figures = {"replies_per_second": median(rounds.rates)}
    for name, spent in (("reply_cpu_ms", rounds.app), ("reply_database_cpu_ms", rounds.database)):
        if (cost := middle(spent)) is not None:
            figures[name] = cost
    title = f"Answers written, {CONNECTIONS} at once"
    return Measured(Table(title, ("", *COLUMNS), [rounds.row("Heddle")], _NOTE), figures)


_NOTE = "`Send` of docs/operations: the message, and the ticket's row as it is then."


async def answerable(bench: Bench) -> Sequence[Any]:
    """Open tickets with the address of who wrote by mail, and the last thing that was said there."""
    said = select(func.max(Item.seq)).where(Item.ticket_id == Ticket.id).scalar_subquery()
    query = (
        select(Ticket.id, Thread.identity_id, said.label("seq"))
        .join(Thread, Thread.ticket_id == Ticket.id)
        .join(Identity, Identity.id == Thread.identity_id)
        .where(Ticket.status.in_(LIVE), Identity.kind == IdentityKind.EMAIL)
        .order_by(Ticket.id)
        .limit(bench.sizes.requests * bench.sizes.rounds)
    )
    async with bench.db.reading() as connection:
        return (await connection.execute(query)).all()


def inputs(places: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Again and again: nobody else answers, so what was seen last stays the last."""
    while True:
        for place in places:
            yield {
                "ticketId": public_id("Ticket", place.id),
                "identityId": public_id("Identity", place.identity_id),
                "text": "Your parcel is on its way: the courier will ring tomorrow between nine and eleven.",
                "lastSeenSeq": place.seq,
                "clientMutationId": str(new_id()),
            }


async def _count_and_settle(bench: Bench, answered: int) -> None:
    """Each was taken, none was refused; and nobody sends them."""
    waits = Message.delivery == DeliveryState.QUEUED
    async with bench.db.transaction() as session:
        queued = await session.scalar(select(func.count()).select_from(Message).where(waits))
        if queued != answered:
            raise RuntimeError(f"of {answered} answers {queued} were taken")
        await session.execute(
            update(Message).where(waits).values(delivery=DeliveryState.SENT, due_at=None),
            execution_options={"synchronize_session": False},
        )
