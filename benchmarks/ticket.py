"""One ticket with everything said on it."""

import orjson

from benchmarks.bench import Bench, Measured
from benchmarks.client import request
from benchmarks.comparing import Peer, compare, table
from benchmarks.data.tickets import LONG
from benchmarks.graphql import graphql
from benchmarks.served import served_by_two
from domain.ids import public_id

FIRST = LONG + 6
"""The messages, and what happened between them."""

DOCUMENT = """query Ticket($id: ID!, $first: Int!) {
  ticket(id: $id) {
    id number subject status priority tags updatedAt
    contact { name identities { label verified } }
    assignee { name }
    clock { state dueAt }
    timeline(first: $first) {
      edges {
        node {
          __typename
          ... on Message {
            id seq channel direction author at text automatic senderVerified delivery
            attachments { name mime bytes }
          }
          ... on SystemEvent { id at text }
        }
      }
      pageInfo { endCursor hasNextPage }
    }
  }
}"""


async def measure(bench: Bench) -> Measured:
    ids = [public_id("Ticket", id) for id in bench.shop.long_tickets]
    floor = Peer("the floor", bench.floor, [request("GET", f"/ticket?id={id}&first={FIRST}") for id in ids])
    product = Peer("Heddle", bench.product, [graphql(bench, DOCUMENT, id=id, first=FIRST) for id in ids])
    size = await _agree(floor, product)
    async with served_by_two(bench) as child:
        two = Peer("Heddle, two processes", child, product.requests)
        peers = [floor, two, product]
        await compare(bench, peers)
    figures = {"ticket_vs_floor": two.against(floor), "ticket_vs_floor_one_process": product.against(floor)}
    note = f"{size / 1024:.0f} KB. {two.compared_with(floor)} {product.compared_with(floor)}"
    return Measured(table(f"Ticket page, {LONG} messages", peers, note), figures)


async def _agree(floor: Peer, product: Peer) -> int:
    """Both say the same of the first and the last."""
    for place in (0, -1):
        body = await product.body(place)
        said = orjson.loads(body)
        if said != orjson.loads(await floor.body(place)):
            raise RuntimeError("the floor shows another ticket than the product")
        edges = said["data"]["ticket"]["timeline"]["edges"]
        if sum(edge["node"]["__typename"] == "Message" for edge in edges) != LONG:
            raise RuntimeError(f"the ticket's page does not show {LONG} messages")
    return len(body)
