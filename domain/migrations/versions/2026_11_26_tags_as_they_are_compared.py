"""tags as they are compared"""

import json
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = '7c0d5be1f3a2'
down_revision = 'bb0a7df27511'

OF_TICKETS = "SELECT DISTINCT tag FROM ticket, jsonb_array_elements_text(tags) AS tag"


def upgrade() -> None:
    connection = op.get_bind()
    for (tag,) in connection.execute(sa.text(OF_TICKETS)).all():
        kept = unicodedata.normalize("NFC", tag.strip()).casefold()
        if kept != tag:
            _rename(connection, tag, kept)


def _rename(connection: sa.Connection, tag: str, kept: str) -> None:
    written = sa.text("SELECT id, tags FROM ticket WHERE tags ? :tag")
    for id, tags in connection.execute(written, {"tag": tag}).all():
        renamed = [kept if one == tag else one for one in tags]
        connection.execute(
            sa.text("UPDATE ticket SET tags = CAST(:tags AS jsonb) WHERE id = :id"),
            {"tags": json.dumps([one for one in dict.fromkeys(renamed) if one]), "id": id},
        )
