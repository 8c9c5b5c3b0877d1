"""How tickets are found"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '2a071d7d6de0'
down_revision = 'bb11f3f466d3'


def upgrade() -> None:
    op.create_table('search_entry',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('ticket', 'item', 'contact', name='entrykind', native_enum=False, length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lexemes', postgresql.TSVECTOR(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_search_entry'))
    )
    op.create_index('ix_search_entry_at', 'search_entry', ['at'], unique=False, postgresql_where=sa.text("kind = 'item'"))
    op.create_index('ix_search_entry_contact', 'search_entry', ['lexemes'], unique=False, postgresql_using='gin', postgresql_where=sa.text("kind = 'contact'"))
    op.create_index('ix_search_entry_item', 'search_entry', ['lexemes'], unique=False, postgresql_using='gin', postgresql_where=sa.text("kind = 'item'"))
    op.create_index('ix_search_entry_ticket', 'search_entry', ['lexemes'], unique=False, postgresql_using='gin', postgresql_where=sa.text("kind = 'ticket'"))
    op.create_table('search_fill',
    sa.Column('kind', sa.Enum('ticket', 'item', 'contact', name='entrykind', native_enum=False, length=40), nullable=False),
    sa.Column('rules', sa.Integer(), nullable=False),
    sa.Column('reached_id', sa.Uuid(), nullable=True),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('kind', name=op.f('pk_search_fill'))
    )
    op.create_table('ticket_view',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('standard', sa.Enum('mine', 'unassigned', 'at_risk', 'unread', 'waiting', 'complaints', 'open', 'spam', name='standardview', native_enum=False, length=40), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('query', sa.Text(), nullable=False),
    sa.Column('order_by', sa.Enum('due', 'updated', 'created', name='ticketorder', native_enum=False, length=40), nullable=False),
    sa.Column('shortcut', sa.Text(), nullable=True),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['agent.id'], name=op.f('fk_ticket_view_owner_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket_view'))
    )
    op.create_index('ix_ticket_view_owner', 'ticket_view', ['owner_id', 'position'], unique=False)
    op.add_column('installation', sa.Column('furnished_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('ticket', sa.Column('due_at', sa.DateTime(timezone=True), server_default=sa.text("'9999-01-01 00:00:00+00'"), nullable=False))
    op.execute(
        "UPDATE ticket SET due_at = running.due_at FROM (SELECT ticket_id, min(due_at) AS due_at FROM clock "
        "WHERE met_at IS NULL AND ended_at IS NULL AND paused_since IS NULL GROUP BY ticket_id) AS running "
        "WHERE running.ticket_id = ticket.id"
    )
    op.create_index('ix_ticket_created', 'ticket', ['created_at', 'id'], unique=False)
    op.create_index('ix_ticket_due', 'ticket', ['due_at', 'id'], unique=False, postgresql_where=sa.text("status IN ('new', 'open', 'pending')"))
    op.create_index('ix_ticket_tags', 'ticket', ['tags'], unique=False, postgresql_using='gin')
    op.add_column('webhook', sa.Column('filter', sa.Text(), server_default='', nullable=False))
