"""What `heddle doctor` looks at, and what it finds."""

from dataclasses import dataclass
from enum import Enum

from sqlalchemy.ext.asyncio import AsyncConnection

from api.running import Settings
from domain.db import Database
from domain.desk.files import Files
from domain.keys import Keys


class Health(Enum):
    WELL = "✓"
    ODD = "!"
    ILL = "✗"


@dataclass(frozen=True)
class Finding:
    subject: str
    health: Health
    said: str


@dataclass(frozen=True)
class Patient:
    settings: Settings
    db: Database
    connection: AsyncConnection
    keys: Keys
    files: Files
