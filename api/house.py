"""What a process holds."""

from dataclasses import dataclass

from domain.db import Database
from domain.files import Files
from domain.keys import Keys


@dataclass(frozen=True)
class House:
    """What all requests and all work of a process share."""

    db: Database
    keys: Keys
    files: Files
    base_url: str
