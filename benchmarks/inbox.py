"""The inbox: fifty tickets as a phone lists them."""

from statistics import median
from typing import Any

import orjson

from benchmarks.bench import Bench, Measured
from benchmarks.client import request
from benchmarks.comparing import Peer, compare, table
from benchmarks.graphql import graphql
from benchmarks.served import served_by_two

FIRST = 50

DOCUMENT = """query Inbox($first: Int!) {
  tickets(first: $first) {
    edges {
      node {
        id number subject status priority tags updatedAt preview channels seq
        contact { name identities { label verified } }
        assignee { name }
        clock { state dueAt }
      }
    }
    pageInfo { endCursor hasNextPage }
  }
}"""


async def measure(bench: Bench) -> Measured:
    bearer = f"Bearer {bench.shop.token}"
    floor = Peer("the floor", bench.floor, [request("GET", f"/inbox?first={FIRST}")])
    product = Peer("Heddle", bench.product, [graphql(bench, DOCUMENT, first=FIRST)])
    rest = Peer(
        "FastAPI + ORM", bench.usual, [request("GET", f"/tickets?first={FIRST}", authorization=bearer)]
    )
    strawberry = Peer("Strawberry + ORM", bench.usual_graphql, product.requests)
    size = await _agree(product, floor, strawberry, rest)
    async with served_by_two(bench) as child:
        two = Peer("Heddle, two processes", child, product.requests)
        peers = [floor, two, product, rest, strawberry]
        await compare(bench, peers)
    figures = {
        "inbox_vs_floor": two.against(floor),
        "inbox_vs_floor_one_process": product.against(floor),
        "inbox_vs_fastapi_orm": product.against(rest),
        "inbox_vs_usual_strawberry": product.against(strawberry),
        "inbox_per_second": median(product.rounds.rates),
    }
    compared = " ".join(product.compared_with(other) for other in (floor, rest, strawberry))
    note = f"{size / 1024:.0f} KB. {two.compared_with(floor)} {compared}"
    return Measured(table(f"Inbox page, {FIRST} tickets", peers, note), figures)


async def _agree(product: Peer, floor: Peer, strawberry: Peer, rest: Peer) -> int:
    """All of them say the same; otherwise a comparison would say nothing."""
    body = await product.body()
    said = orjson.loads(body)
    for other in (floor, strawberry):
        if said != orjson.loads(await other.body()):
            raise RuntimeError(f"{other.name} shows another inbox than the product")
    nodes = [edge["node"] for edge in said["data"]["tickets"]["edges"]]
    if len(nodes) != FIRST:
        raise RuntimeError(f"the inbox has {len(nodes)} tickets on its page")
    if _words(nodes) != _words(orjson.loads(await rest.body())["tickets"]):
        raise RuntimeError(f"{rest.name} shows another inbox than the product")
    return len(body)


def _words(tickets: list[dict[str, Any]]) -> str:
    """REST has other ids, small letters in its codes, and Z for UTC."""
    seen = [{name: value for name, value in ticket.items() if name != "id"} for ticket in tickets]
    return orjson.dumps(seen, option=orjson.OPT_SORT_KEYS).decode().upper().replace('Z"', '+00:00"')
