"""Heddle's doors, as `heddle serve --no-workers` opens them."""

from pathlib import Path

from api.app import application
from api.house import House
from api.memory import settled
from api.server import Patience, server
from api.settings import ApiSettings
from benchmarks.peers.serving import Orders, answer, run
from domain.db import Database
from domain.desk.files import Folder
from domain.keys import Keys

BUSY = ApiSettings.model_construct(operations_per_minute=10**9)
"""A benchmark is one very busy agent."""


def house(orders: Orders) -> House:
    return House(
        Database(orders["database"]),
        Keys(orders["secret"]),
        Folder(Path(orders["folder"]) / "files"),
        "http://heddle.test",
        settings=BUSY,
    )


async def _serve(orders: Orders) -> None:
    opened = house(orders)
    await opened.db.open()
    try:
        serving = server(application(opened), Patience(), timeout_graceful_shutdown=1)
        settled()
        await answer(serving, orders)
    finally:
        await opened.db.close()


if __name__ == "__main__":
    run(_serve)
