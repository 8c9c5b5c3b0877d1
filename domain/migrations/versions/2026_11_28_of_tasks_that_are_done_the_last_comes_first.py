"""of tasks that are done the last comes first"""

import sqlalchemy as sa
from alembic import op

revision = "5c2f9b7e41d6"
down_revision = "20e87f3bf73c"


def upgrade() -> None:
    op.drop_index("ix_task_order", table_name="task")
    is_done, last = sa.text("(done_at IS NOT NULL)"), sa.text("done_at DESC")
    op.create_index("ix_task_order", "task", [is_done, last, "due_at", "id"])
