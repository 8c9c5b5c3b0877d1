"""what was measured of each ticket"""

import sqlalchemy as sa
from alembic import op

revision = '20e83e5609d3'
down_revision = '61c06083f8a7'


def upgrade() -> None:
    op.create_table('measurement',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('opened', 'message_in', 'message_out', 'call_in', 'call_out', 'first_reply', 'next_reply', 'solved', 'in_hand', 'reopened', 'open', 'first_reply_promise', 'next_reply_promise', 'resolution_promise', name='measured', native_enum=False, length=40), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('agent_id', sa.Uuid(), nullable=True),
    sa.Column('channel_id', sa.Uuid(), nullable=True),
    sa.Column('team_id', sa.Uuid(), nullable=True),
    sa.Column('wall_seconds', sa.Integer(), nullable=True),
    sa.Column('business_seconds', sa.Integer(), nullable=True),
    sa.Column('kept', sa.Boolean(), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_measurement_agent_id')),
    sa.ForeignKeyConstraint(['channel_id'], ['channel.id'], name=op.f('fk_measurement_channel_id')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_measurement_team_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_measurement_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_measurement'))
    )
    op.create_index('ix_measurement_kind', 'measurement', ['kind', 'at'], unique=False)
    op.create_index('ix_measurement_open', 'measurement', ['until'], unique=False, postgresql_where=sa.text("kind = 'open'"))
    op.create_index('ix_measurement_ticket', 'measurement', ['ticket_id'], unique=False)
