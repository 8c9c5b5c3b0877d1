"""All doors of the chat."""

from starlette.routing import BaseRoute

from domain.db import Database
from domain.desk.files import Files
from domain.keys import Keys
from integrations.chat import socket, stream
from integrations.chat.reception import Reception


def routes(db: Database, keys: Keys, files: Files, base_url: str) -> list[BaseRoute]:
    reception = Reception(db, keys, base_url)
    return [*socket.routes(reception), *stream.routes(reception, files)]
