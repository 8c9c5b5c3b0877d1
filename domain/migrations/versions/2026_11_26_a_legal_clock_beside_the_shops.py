"""a legal clock beside the shops"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import domain.db

revision = 'df2f2577cd52'
down_revision = '082778cc7381'


def upgrade() -> None:
    op.drop_index(op.f('uq_clock_running'), table_name='clock', postgresql_where='((met_at IS NULL) AND (ended_at IS NULL))')
    op.create_index('uq_clock_running', 'clock', ['ticket_id', 'metric', 'is_legal'], unique=True, postgresql_where=sa.text('met_at IS NULL AND ended_at IS NULL'))
    op.add_column('ticket', sa.Column('legal_since', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_ticket_merged', 'ticket', ['merged_into_id'], unique=False, postgresql_where=sa.text('merged_into_id IS NOT NULL'))
    op.execute("UPDATE ticket SET legal_since = (SELECT min(started_at) FROM clock WHERE ticket_id = ticket.id AND is_legal)"
               " WHERE id IN (SELECT ticket_id FROM clock WHERE is_legal)")
