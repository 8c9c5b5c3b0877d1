"""a calendar that nothing needs is deleted"""

import sqlalchemy as sa
from alembic import op

revision = "859deaae08a3"
down_revision = "5979a2e82306"


def upgrade() -> None:
    op.add_column("calendar", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("uq_calendar_name"), "calendar", type_="unique")
    there = sa.text("archived_at IS NULL")
    op.create_index("uq_calendar_name", "calendar", ["name"], unique=True, postgresql_where=there)
