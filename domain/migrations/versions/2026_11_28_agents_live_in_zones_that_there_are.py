"""agents live in zones that there are"""

from zoneinfo import available_timezones

import sqlalchemy as sa
import structlog
from alembic import op

revision = "3d9f4b7c20ae"
down_revision = "acb23908df25"

log = structlog.get_logger()


def upgrade() -> None:
    connection = op.get_bind()
    spelt = {zone.lower(): zone for zone in available_timezones()}
    for id, zone in connection.execute(sa.text("SELECT id, timezone FROM agent")).all():
        kept = spelt.get(zone.strip().lower(), "Europe/Madrid")
        if kept != zone:
            connection.execute(
                sa.text("UPDATE agent SET timezone = :kept WHERE id = :id"), {"kept": kept, "id": id}
            )
            log.warning("agent_in_unknown_zone", id=str(id), timezone=zone, now=kept)
