"""notices of a task are found by it"""

import sqlalchemy as sa
from alembic import op

revision = "acb23908df25"
down_revision = "722cb6d169ab"


def upgrade() -> None:
    op.create_index("ix_notice_task", "notice", ["task_id"], postgresql_where=sa.text("task_id IS NOT NULL"))
