"""who promised a decision is told before"""

import sqlalchemy as sa
from alembic import op

revision = "20e87f3bf73c"
down_revision = "13a286eb1e5c"


def upgrade() -> None:
    op.add_column("complaint", sa.Column("warns_at", sa.DateTime(timezone=True), nullable=True))
    told = sa.text("warns_at IS NOT NULL")
    op.create_index("ix_complaint_warns", "complaint", ["warns_at"], postgresql_where=told)
    op.execute(
        "UPDATE complaint SET warns_at = greatest(now(), promised_at - interval '1 day') WHERE promised_at > now()"
        " AND merged_into_id IS NULL AND stage IN ('received', 'investigating', 'waiting_external')"
    )
