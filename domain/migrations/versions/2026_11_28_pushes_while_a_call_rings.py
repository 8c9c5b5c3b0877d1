"""pushes while a call rings"""

import sqlalchemy as sa
from alembic import op

revision = "13a286eb1e5c"
down_revision = "8c799ba78cba"


def upgrade() -> None:
    op.add_column(
        "alert_preferences", sa.Column("calls", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.add_column("notice", sa.Column("call_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_notice_call", "notice", ["call_id"], postgresql_where=sa.text("call_id IS NOT NULL")
    )
    op.create_unique_constraint("uq_notice_agent_id_kind_call_id", "notice", ["agent_id", "kind", "call_id"])
    op.create_foreign_key("fk_notice_call_id", "notice", "item", ["call_id"], ["id"])
