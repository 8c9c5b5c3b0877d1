"""Calls on the line are found without what else is due."""

import sqlalchemy as sa
from alembic import op

revision = '08c8006023da'
down_revision = '230b6df90940'


def upgrade() -> None:
    is_on_the_line = sa.text('due_at IS NOT NULL AND call_state IS NOT NULL')
    op.create_index('ix_item_on_the_line', 'item', ['due_at'], unique=False, postgresql_where=is_on_the_line)
