"""The inbox: fifty tickets as a phone lists them."""

from typing import Any

import orjson

from benchmarks.bench import Bench, Measured
from benchmarks.client import request
from benchmarks.comparing import Peer, compare, table
from benchmarks.graphql import graphql

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
    usual = Peer(
        "FastAPI + ORM", bench.usual, [request("GET", f"/tickets?first={FIRST}", authorization=bearer)]
    )
    size = await _agree(floor, product, usual)
    await compare(bench, [floor, product, usual])
    figures = {"inbox_vs_floor": product.against(floor), "inbox_vs_fastapi_orm": product.against(usual)}
    note = f"{size / 1024:.0f} KB. {product.compared_with(floor)} {product.compared_with(usual)}"
    return Measured(table(f"Inbox page, {FIRST} tickets", [floor, product, usual], note), figures)


async def _agree(floor: Peer, product: Peer, usual: Peer) -> int:
    """All three say the same; otherwise a comparison would say nothing."""
    body = await product.body()
    said = orjson.loads(body)
    if said != orjson.loads(await floor.body()):
        raise RuntimeError("the floor shows another inbox than the product")
    nodes = [edge["node"] for edge in said["data"]["tickets"]["edges"]]
    if len(nodes) != FIRST:
        raise RuntimeError(f"the inbox has {len(nodes)} tickets on its page")
    rest = orjson.loads(await usual.body())
    if _words(nodes) != _words(rest["tickets"]):
        raise RuntimeError("the usual way shows another inbox than the product")
    return len(body)


def _words(tickets: list[dict[str, Any]]) -> str:
    """REST has other ids, small letters in its codes, and Z for UTC."""
    seen = [{name: value for name, value in ticket.items() if name != "id"} for ticket in tickets]
    return orjson.dumps(seen, option=orjson.OPT_SORT_KEYS).decode().upper().replace('Z"', '+00:00"')
