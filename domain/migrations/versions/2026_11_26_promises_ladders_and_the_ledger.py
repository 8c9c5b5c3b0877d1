"""promises, ladders and the ledger"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import domain.db

revision = 'b0e6871a9431'
down_revision = 'add94a1bc3b9'


def upgrade() -> None:
    op.create_table('recount',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reached_id', sa.Uuid(), nullable=True),
    sa.Column('tickets', sa.Integer(), server_default='0', nullable=False),
    sa.Column('moved', sa.Integer(), server_default='0', nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recount'))
    )
    op.create_index('ix_recount_due', 'recount', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_table('alert_preferences',
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('privacy', sa.Enum('full', 'minimal', 'none', name='privacy', native_enum=False, length=40), nullable=False),
    sa.Column('quiet_from', sa.Text(), nullable=True),
    sa.Column('quiet_to', sa.Text(), nullable=True),
    sa.Column('min_level_in_quiet', sa.Integer(), nullable=False),
    sa.Column('muted', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('group_storms', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_alert_preferences_agent_id')),
    sa.PrimaryKeyConstraint('agent_id', name=op.f('pk_alert_preferences'))
    )
    op.create_table('rota',
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('hours', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('on_duty', sa.Boolean(), nullable=True),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_rota_agent_id')),
    sa.PrimaryKeyConstraint('agent_id', name=op.f('pk_rota'))
    )
    op.create_table('alert_note',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('alert_id', sa.Uuid(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id'], name=op.f('fk_alert_note_alert_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_note'))
    )
    op.create_index(op.f('ix_alert_note_alert_id'), 'alert_note', ['alert_id'], unique=False)
    op.add_column('agent', sa.Column('languages', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False))
    op.add_column('alert', sa.Column('rung', sa.Integer(), server_default='0', nullable=False))
    op.add_column('alert', sa.Column('about_id', sa.Uuid(), nullable=True))
    op.add_column('alert', sa.Column('next_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('alert', sa.Column('ack_expires_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('alert', sa.Column('snoozed_until', sa.DateTime(timezone=True), nullable=True))
    op.alter_column('alert', 'ticket_id',
               existing_type=sa.UUID(),
               nullable=True)
    op.alter_column('alert', 'clock_id',
               existing_type=sa.UUID(),
               nullable=True)
    op.drop_constraint(op.f('uq_alert_clock_id_kind'), 'alert', type_='unique')
    op.create_index('ix_alert_next', 'alert', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))
    op.create_index('uq_alert_about', 'alert', ['kind', 'about_id'], unique=True, postgresql_where=sa.text("clock_id IS NULL AND state <> 'resolved'"), postgresql_nulls_not_distinct=True)
    op.create_unique_constraint(op.f('uq_alert_clock_id_kind_fired_at'), 'alert', ['clock_id', 'kind', 'fired_at'])
    op.add_column('clock', sa.Column('channel', sa.Enum('email', 'chat', 'messenger', 'phone', 'sms', name='channelkind', native_enum=False, length=40), nullable=True))
    op.add_column('clock', sa.Column('is_legal', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('clock', sa.Column('warn_at', postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=True))
    op.add_column('clock', sa.Column('paused_since', sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE clock SET warn_at = ARRAY[at_risk_at], channel = (SELECT c.kind FROM item i JOIN channel c ON c.id = i.channel_id"
               " WHERE i.ticket_id = clock.ticket_id AND i.direction = 'in' ORDER BY i.at, i.seq LIMIT 1)")
    op.execute("UPDATE clock SET next_at = at_risk_at WHERE next_at IS NOT NULL AND at_risk_at > now()")
    op.execute("UPDATE alert SET next_at = now() + interval '5 minutes' WHERE state = 'firing'")
    op.alter_column('clock', 'warn_at', nullable=False)
    op.drop_column('clock', 'at_risk_at')
    op.add_column('delivery', sa.Column('transport', sa.Enum('fcm', 'web_push', 'email', name='transport', native_enum=False, length=40), server_default='fcm', nullable=False))
    op.add_column('delivery', sa.Column('shown_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('delivery', sa.Column('opened_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('delivery', sa.Column('acted_at', sa.DateTime(timezone=True), nullable=True))
    op.alter_column('delivery', 'device_id',
               existing_type=sa.UUID(),
               nullable=True)
    op.drop_constraint(op.f('uq_delivery_notice_id_device_id'), 'delivery', type_='unique')
    op.create_unique_constraint(op.f('uq_delivery_notice_id_device_id'), 'delivery', ['notice_id', 'device_id'], postgresql_nulls_not_distinct=True)
    op.add_column('device', sa.Column('session_id', sa.Uuid(), nullable=True))
    op.add_column('device', sa.Column('p256dh', sa.Text(), nullable=True))
    op.add_column('device', sa.Column('auth', sa.Text(), nullable=True))
    op.add_column('device', sa.Column('last_push_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('device', sa.Column('last_receipt_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_device_session', 'device', ['session_id'], unique=False)
    op.create_index(op.f('ix_event_alert_id_at'), 'event', ['alert_id', 'at'], unique=False, postgresql_where=sa.text('alert_id IS NOT NULL'))
    op.add_column('notice', sa.Column('kind', sa.Enum('alert', 'storm', 'digest', 'cleared', 'assigned', 'test', name='noticekind', native_enum=False, length=40), server_default='alert', nullable=False))
    op.add_column('notice', sa.Column('period', sa.DateTime(timezone=True), nullable=True))
    op.add_column('notice', sa.Column('ticket_id', sa.Uuid(), nullable=True))
    op.add_column('notice', sa.Column('level', sa.Integer(), server_default='0', nullable=False))
    op.add_column('notice', sa.Column('rung', sa.Integer(), server_default='0', nullable=False))
    op.add_column('notice', sa.Column('count', sa.Integer(), server_default='1', nullable=False))
    op.add_column('notice', sa.Column('state', sa.Enum('trying', 'seen', 'unseen', 'silenced', 'folded', 'over', name='noticestate', native_enum=False, length=40), server_default='unseen', nullable=False))
    op.add_column('notice', sa.Column('because', sa.Text(), nullable=True))
    op.add_column('notice', sa.Column('folded_into_id', sa.Uuid(), nullable=True))
    op.add_column('notice', sa.Column('next_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('notice', sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True))
    op.alter_column('notice', 'event_seq',
               existing_type=sa.BIGINT(),
               nullable=True)
    op.create_index('ix_notice_agent', 'notice', ['agent_id', 'created_at'], unique=False)
    op.create_index('ix_notice_next', 'notice', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))
    op.create_unique_constraint(op.f('uq_notice_agent_id_kind_period'), 'notice', ['agent_id', 'kind', 'period'])
    op.create_foreign_key(op.f('fk_notice_folded_into_id'), 'notice', 'notice', ['folded_into_id'], ['id'])
    op.create_foreign_key(op.f('fk_notice_ticket_id'), 'notice', 'ticket', ['ticket_id'], ['id'])
    op.add_column('policy', sa.Column('position', sa.Integer(), server_default='0', nullable=False))
    op.add_column('policy', sa.Column('conditions', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False))
    op.add_column('policy', sa.Column('pauses', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text('\'["pending"]\''), nullable=False))
    op.add_column('policy', sa.Column('reopen_seconds', sa.Integer(), server_default='604800', nullable=False))
    op.add_column('policy', sa.Column('ladder', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column('policy', sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f('uq_policy_name'), 'policy', type_='unique')
    op.create_index('uq_policy_name', 'policy', ['name'], unique=True, postgresql_where=sa.text('archived_at IS NULL'))
    op.add_column('system_mail', sa.Column('delivery_id', sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f('fk_system_mail_delivery_id'), 'system_mail', 'delivery', ['delivery_id'], ['id'])
    op.add_column('ticket', sa.Column('policy_id', sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f('fk_ticket_policy_id'), 'ticket', 'policy', ['policy_id'], ['id'])
