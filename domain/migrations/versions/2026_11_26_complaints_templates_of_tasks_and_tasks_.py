"""complaints, templates of tasks, and tasks that remind and come again"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import domain.db

revision = 'baab00291465'
down_revision = 'f0f9b726f220'


def upgrade() -> None:
    op.create_table('task_template',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('tasks', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('on_complaint', sa.Boolean(), nullable=False),
    sa.Column('law', sa.Enum('shop', 'complaint_pl', 'complaint_es', name='template', native_enum=False, length=40), nullable=True),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_task_template'))
    )
    op.create_index('uq_task_template_law', 'task_template', ['law'], unique=True, postgresql_where=sa.text('on_complaint AND archived_at IS NULL'), postgresql_nulls_not_distinct=True)
    op.create_index('uq_task_template_name', 'task_template', ['name'], unique=True, postgresql_where=sa.text('archived_at IS NULL'))
    op.create_table('complaint',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('merged_into_id', sa.Uuid(), nullable=True),
    sa.Column('template', sa.Enum('shop', 'complaint_pl', 'complaint_es', name='template', native_enum=False, length=40), nullable=True),
    sa.Column('channel', sa.Enum('email', 'chat', 'messenger', 'phone', 'sms', name='channelkind', native_enum=False, length=40), nullable=True),
    sa.Column('stage', sa.Enum('received', 'investigating', 'waiting_external', 'decided', 'remedied', 'closed', name='stage', native_enum=False, length=40), nullable=False),
    sa.Column('stage_since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('opened_by_id', sa.Uuid(), nullable=True),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('promised_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_step', sa.Text(), server_default='', nullable=False),
    sa.Column('next_step_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('moved_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('stalls_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.Enum('accepted', 'partly', 'rejected', 'deemed_accepted', 'withdrawn', name='outcome', native_enum=False, length=40), nullable=True),
    sa.Column('remedy', sa.Enum('refund', 'repair', 'replacement', 'discount', name='remedy', native_enum=False, length=40), nullable=True),
    sa.Column('amount', sa.Numeric(precision=12, scale=2), nullable=True),
    sa.Column('currency', sa.Text(), nullable=True),
    sa.Column('decision', sa.Text(), server_default='', nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['merged_into_id'], ['complaint.id'], name=op.f('fk_complaint_merged_into_id')),
    sa.ForeignKeyConstraint(['opened_by_id'], ['agent.id'], name=op.f('fk_complaint_opened_by_id')),
    sa.ForeignKeyConstraint(['owner_id'], ['agent.id'], name=op.f('fk_complaint_owner_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_complaint_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_complaint')),
    sa.UniqueConstraint('number', name=op.f('uq_complaint_number'))
    )
    op.create_index('ix_complaint_open', 'complaint', ['opened_at'], unique=False, postgresql_where=sa.text('closed_at IS NULL AND merged_into_id IS NULL'))
    op.create_index('ix_complaint_stalls', 'complaint', ['stalls_at'], unique=False, postgresql_where=sa.text('stalls_at IS NOT NULL'))
    op.create_index('ix_complaint_ticket', 'complaint', ['ticket_id'], unique=False)
    op.create_table('complaint_step',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('complaint_id', sa.Uuid(), nullable=False),
    sa.Column('stage', sa.Enum('received', 'investigating', 'waiting_external', 'decided', 'remedied', 'closed', name='stage', native_enum=False, length=40), nullable=False),
    sa.Column('outcome', sa.Enum('accepted', 'partly', 'rejected', 'deemed_accepted', 'withdrawn', name='outcome', native_enum=False, length=40), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by_id', sa.Uuid(), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['by_id'], ['agent.id'], name=op.f('fk_complaint_step_by_id')),
    sa.ForeignKeyConstraint(['complaint_id'], ['complaint.id'], name=op.f('fk_complaint_step_complaint_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_complaint_step'))
    )
    op.create_index('ix_complaint_step', 'complaint_step', ['complaint_id', 'at', 'id'], unique=False)
    op.add_column('notice', sa.Column('task_id', sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f('fk_notice_task_id'), 'notice', 'task', ['task_id'], ['id'])
    op.add_column('shop', sa.Column('language', sa.Text(), nullable=True))
    op.add_column('shop', sa.Column('stalled_days', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False))
    op.add_column('task', sa.Column('description', sa.Text(), server_default='', nullable=False))
    op.add_column('task', sa.Column('team_id', sa.Uuid(), nullable=True))
    op.add_column('task', sa.Column('remind_minutes', sa.Integer(), server_default='0', nullable=True))
    op.add_column('task', sa.Column('remind_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('task', sa.Column('reminder_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('task', sa.Column('next_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('task', sa.Column('repeats', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True))
    op.add_column('task', sa.Column('repeat_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('task', sa.Column('series_id', sa.Uuid(), nullable=True))
    op.add_column('task', sa.Column('complaint_id', sa.Uuid(), nullable=True))
    op.add_column('task', sa.Column('step', sa.Text(), nullable=True))
    op.create_index('ix_task_given', 'task', ['created_by_id', 'due_at'], unique=False, postgresql_where=sa.text('done_at IS NULL'))
    op.create_index('ix_task_next', 'task', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))
    op.create_index('ix_task_repeat', 'task', ['repeat_at'], unique=False, postgresql_where=sa.text('repeat_at IS NOT NULL'))
    op.create_index('ix_task_series', 'task', ['series_id'], unique=False, postgresql_where=sa.text('series_id IS NOT NULL'))
    op.create_index('uq_task_of_complaint', 'task', ['complaint_id', 'step'], unique=True, postgresql_where=sa.text('complaint_id IS NOT NULL'))
    op.create_foreign_key(op.f('fk_task_complaint_id'), 'task', 'complaint', ['complaint_id'], ['id'])
    op.create_foreign_key(op.f('fk_task_team_id'), 'task', 'team', ['team_id'], ['id'])
    op.add_column('ticket', sa.Column('undecided', sa.Boolean(), server_default=sa.text('false'), nullable=False))
