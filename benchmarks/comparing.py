"""One page asked of several peers in turn, round after round: what else the machine does meets all alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

from benchmarks.bench import Bench, Table
from benchmarks.client import ask, burst
from benchmarks.processes import Child
from benchmarks.rounds import COLUMNS, Rounds

CONNECTIONS = 8
WARMING = 40
"""Requests before the first round: pools are filled, documents parsed, statements prepared."""


@dataclass
class Peer:
    name: str
    child: Child
    requests: Sequence[bytes]
    """Asked one after the other, again and again."""
    rounds: Rounds = field(default_factory=Rounds)

    async def body(self, place: int = 0) -> bytes:
        return await ask(self.child.port, self.requests[place])

    def against(self, other: "Peer") -> float:
        return self.rounds.against(other.rounds)

    def compared_with(self, other: "Peer") -> str:
        """By requests per second, and by processor time, which says less of who else used the machine."""
        words = f"{self.name} against {other.name}: {self.against(other):.3f}"
        mine, theirs = self.rounds.cost(), other.rounds.cost()
        return f"{words}, by processor time {theirs / mine:.3f}." if mine and theirs else f"{words}."


async def compare(bench: Bench, peers: Sequence[Peer]) -> None:
    for peer in peers:
        warming = islice(cycle(peer.requests), WARMING)
        await burst(peer.child.port, warming, connections=CONNECTIONS, seconds=30)
    least = {peer.name: len(await peer.body()) // 2 for peer in peers}
    for turn in range(bench.sizes.rounds):
        begin = turn % len(peers)
        for peer in [*peers[begin:], *peers[:begin]]:
            await peer.rounds.add(
                peer.child,
                bench.postgres,
                islice(cycle(peer.requests), bench.sizes.requests),
                connections=CONNECTIONS,
                seconds=bench.sizes.seconds,
                least=least[peer.name],
            )


def table(title: str, peers: Sequence[Peer], note: str) -> Table:
    return Table(
        f"{title}, {CONNECTIONS} at once",
        ("", *COLUMNS),
        [peer.rounds.row(peer.name) for peer in peers],
        note,
    )
