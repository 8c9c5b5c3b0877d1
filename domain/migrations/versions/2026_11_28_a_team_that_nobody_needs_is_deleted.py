"""a team that nobody needs is deleted"""

import sqlalchemy as sa
from alembic import op

revision = "05495ccbc296"
down_revision = "859deaae08a3"


def upgrade() -> None:
    op.add_column("team", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("uq_team_name"), "team", type_="unique")
    there = sa.text("archived_at IS NULL")
    op.create_index("uq_team_name", "team", ["name"], unique=True, postgresql_where=there)
