"""first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import domain.db

revision = 'first'
down_revision = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE history_seq AS bigint")
    op.execute("CREATE SEQUENCE ticket_number_seq AS bigint")
    op.create_table('agent',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('role', sa.Enum('agent', 'manager', 'admin', name='role', native_enum=False, length=40), nullable=False),
    sa.Column('locale', sa.Text(), server_default='en', nullable=False),
    sa.Column('timezone', sa.Text(), server_default='Europe/Madrid', nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('left_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agent'))
    )
    op.create_index('uq_agent_email', 'agent', [sa.literal_column('lower(email)')], unique=True)
    op.create_table('calendar',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('hours', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calendar')),
    sa.UniqueConstraint('name', name=op.f('uq_calendar_name'))
    )
    op.create_table('contact',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), server_default='', nullable=False),
    sa.Column('locale', sa.Text(), nullable=True),
    sa.Column('timezone', sa.Text(), nullable=True),
    sa.Column('canonical_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['canonical_id'], ['contact.id'], name=op.f('fk_contact_canonical_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contact'))
    )
    op.create_index(op.f('ix_contact_canonical_id'), 'contact', ['canonical_id'], unique=False)
    op.create_table('done',
    sa.Column('actor_id', sa.Uuid(), nullable=False),
    sa.Column('client_mutation_id', sa.Text(), nullable=False),
    sa.Column('input_hash', sa.LargeBinary(), nullable=False),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('actor_id', 'client_mutation_id', name=op.f('pk_done'))
    )
    op.create_index(op.f('ix_done_at'), 'done', ['at'], unique=False)
    op.create_table('event',
    sa.Column('seq', sa.BigInteger(), server_default=sa.text("nextval('history_seq')"), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('xid', domain.db.XID8(), server_default=sa.text('pg_current_xact_id()'), nullable=False),
    sa.Column('kind', sa.Enum('ticket_opened', 'ticket_assigned', 'ticket_changed', 'ticket_reopened', 'ticket_merged', 'thread_joined', 'message_received', 'message_queued', 'message_sent', 'message_delivered', 'message_read', 'message_failed', 'attachment_fetched', 'call_changed', 'note_added', 'task_saved', 'contact_opened', 'contact_merged', 'identity_linked', 'arrival_failed', 'sla_breached', 'sla_met', 'alert_fired', 'alert_acked', 'alert_resolved', 'agent_added', name='eventkind', native_enum=False, length=40), nullable=False),
    sa.Column('actor_kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.Uuid(), nullable=True),
    sa.Column('ticket_id', sa.Uuid(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('thread_id', sa.Uuid(), nullable=True),
    sa.Column('item_id', sa.Uuid(), nullable=True),
    sa.Column('task_id', sa.Uuid(), nullable=True),
    sa.Column('alert_id', sa.Uuid(), nullable=True),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.PrimaryKeyConstraint('seq', 'at', name=op.f('pk_event')),
    postgresql_partition_by='RANGE (at)'
    )
    op.create_index(op.f('ix_event_contact_id_at_seq'), 'event', ['contact_id', 'at', 'seq'], unique=False)
    op.create_index(op.f('ix_event_ticket_id_at_seq'), 'event', ['ticket_id', 'at', 'seq'], unique=False)
    op.create_index(op.f('ix_event_xid_seq'), 'event', ['xid', 'seq'], unique=False)
    op.execute('CREATE TABLE event_other PARTITION OF event DEFAULT')
    op.create_table('reader',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('xid', domain.db.XID8(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_reader'))
    )
    op.create_table('team',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_team')),
    sa.UniqueConstraint('name', name=op.f('uq_team_name'))
    )
    op.create_table('channel',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('email', 'chat', 'messenger', 'phone', 'sms', name='channelkind', native_enum=False, length=40), nullable=False),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('config', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('secrets', sa.LargeBinary(), nullable=True),
    sa.Column('team_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('last_error_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_channel_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_channel')),
    sa.UniqueConstraint('slug', name=op.f('uq_channel_slug'))
    )
    op.create_index('uq_channel_address', 'channel', ['kind', sa.literal_column('lower(address)')], unique=True)
    op.create_table('device',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('transport', sa.Enum('fcm', name='transport', native_enum=False, length=40), nullable=False),
    sa.Column('handle', sa.Text(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('locale', sa.Text(), nullable=False),
    sa.Column('timezone', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('removed_because', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_device_agent_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device'))
    )
    op.create_index('ix_device_agent', 'device', ['agent_id'], unique=False)
    op.create_index('uq_device_handle', 'device', ['transport', 'handle'], unique=True, postgresql_where=sa.text('removed_at IS NULL'))
    op.create_table('identity',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('email', 'phone', 'messenger', 'chat', 'customer', name='identitykind', native_enum=False, length=40), nullable=False),
    sa.Column('scope', sa.Text(), server_default='', nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('verified_by', sa.Enum('mail_authenticated', 'chat_signature', 'chat_session', 'reply_address', 'messenger_page', 'messenger_link', 'agent', name='proof', native_enum=False, length=40), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_identity_contact_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_identity')),
    sa.UniqueConstraint('kind', 'scope', 'value', 'contact_id', name=op.f('uq_identity_kind_scope_value_contact_id'))
    )
    op.create_index(op.f('ix_identity_contact_id'), 'identity', ['contact_id'], unique=False)
    op.create_index('uq_identity_proven', 'identity', ['kind', 'scope', 'value'], unique=True, postgresql_where=sa.text('verified_at IS NOT NULL'))
    op.create_table('policy',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('calendar_id', sa.Uuid(), nullable=False),
    sa.Column('is_default', sa.Boolean(), nullable=False),
    sa.Column('targets', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['calendar_id'], ['calendar.id'], name=op.f('fk_policy_calendar_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_policy')),
    sa.UniqueConstraint('name', name=op.f('uq_policy_name'))
    )
    op.create_index('uq_policy_default', 'policy', ['is_default'], unique=True, postgresql_where=sa.text('is_default'))
    op.create_table('sign_in',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('device_label', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_sign_in_agent_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_sign_in_token_hash'))
    )
    op.create_index(op.f('ix_sign_in_agent_id'), 'sign_in', ['agent_id'], unique=False)
    op.create_table('team_member',
    sa.Column('team_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_team_member_agent_id')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_team_member_team_id')),
    sa.PrimaryKeyConstraint('team_id', 'agent_id', name=op.f('pk_team_member'))
    )
    op.create_index(op.f('ix_team_member_agent_id'), 'team_member', ['agent_id'], unique=False)
    op.create_table('ticket',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.BigInteger(), server_default=sa.text("nextval('ticket_number_seq')"), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('status', sa.Enum('new', 'open', 'pending', 'solved', 'closed', name='ticketstatus', native_enum=False, length=40), nullable=False),
    sa.Column('priority', sa.Integer(), server_default='3', nullable=False),
    sa.Column('team_id', sa.Uuid(), nullable=True),
    sa.Column('assignee_id', sa.Uuid(), nullable=True),
    sa.Column('tags', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('merged_into_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('solved_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['assignee_id'], ['agent.id'], name=op.f('fk_ticket_assignee_id')),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_ticket_contact_id')),
    sa.ForeignKeyConstraint(['merged_into_id'], ['ticket.id'], name=op.f('fk_ticket_merged_into_id')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_ticket_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket')),
    sa.UniqueConstraint('number', name=op.f('uq_ticket_number'))
    )
    op.create_index('ix_ticket_contact', 'ticket', ['contact_id'], unique=False)
    op.create_index('ix_ticket_live', 'ticket', ['assignee_id'], unique=False, postgresql_where=sa.text("status IN ('new', 'open', 'pending')"))
    op.create_index('ix_ticket_updated', 'ticket', ['updated_at', 'id'], unique=False)
    op.create_table('arrival',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('channel_id', sa.Uuid(), nullable=False),
    sa.Column('external_id', sa.Text(), nullable=False),
    sa.Column('raw', sa.LargeBinary(), nullable=False),
    sa.Column('envelope', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'placed', 'ignored', 'failed', name='arrivalstate', native_enum=False, length=40), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['channel_id'], ['channel.id'], name=op.f('fk_arrival_channel_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_arrival')),
    sa.UniqueConstraint('channel_id', 'external_id', name=op.f('uq_arrival_channel_id_external_id'))
    )
    op.create_index('ix_arrival_due', 'arrival', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_table('clock',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('policy_id', sa.Uuid(), nullable=False),
    sa.Column('metric', sa.Enum('first_reply', 'next_reply', 'resolution', name='metric', native_enum=False, length=40), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('target_seconds', sa.Integer(), nullable=False),
    sa.Column('at_risk_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('met_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('breached_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['policy_id'], ['policy.id'], name=op.f('fk_clock_policy_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_clock_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clock'))
    )
    op.create_index('ix_clock_next', 'clock', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))
    op.create_index('ix_clock_ticket', 'clock', ['ticket_id'], unique=False)
    op.create_index('uq_clock_running', 'clock', ['ticket_id', 'metric'], unique=True, postgresql_where=sa.text('met_at IS NULL AND ended_at IS NULL'))
    op.create_table('task',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('assignee_id', sa.Uuid(), nullable=True),
    sa.Column('ticket_id', sa.Uuid(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=True),
    sa.Column('created_by_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['assignee_id'], ['agent.id'], name=op.f('fk_task_assignee_id')),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_task_contact_id')),
    sa.ForeignKeyConstraint(['created_by_id'], ['agent.id'], name=op.f('fk_task_created_by_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_task_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_task'))
    )
    op.create_index('ix_task_contact', 'task', ['contact_id'], unique=False)
    op.create_index('ix_task_open', 'task', ['assignee_id', 'due_at'], unique=False, postgresql_where=sa.text('done_at IS NULL'))
    op.create_index('ix_task_ticket', 'task', ['ticket_id'], unique=False)
    op.create_table('thread',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('channel_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.Text(), nullable=True),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('identity_id', sa.Uuid(), nullable=True),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('subject', sa.Text(), server_default='', nullable=False),
    sa.Column('joined_code', sa.Enum('opened_ticket', 'agent_opened', 'same_verified_address', 'reply_address', 'signed_chat_identity', 'same_chat_session', 'same_messenger_person', 'messenger_link', 'linked_by_agent', 'caller_number', name='joincode', native_enum=False, length=40), nullable=False),
    sa.Column('joined_proof', sa.Enum('mail_authenticated', 'chat_signature', 'chat_session', 'reply_address', 'messenger_page', 'messenger_link', 'agent', name='proof', native_enum=False, length=40), nullable=True),
    sa.Column('joined_evidence', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('joined_by_id', sa.Uuid(), nullable=True),
    sa.Column('joined_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_inbound_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['channel_id'], ['channel.id'], name=op.f('fk_thread_channel_id')),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_thread_contact_id')),
    sa.ForeignKeyConstraint(['identity_id'], ['identity.id'], name=op.f('fk_thread_identity_id')),
    sa.ForeignKeyConstraint(['joined_by_id'], ['agent.id'], name=op.f('fk_thread_joined_by_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_thread_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thread')),
    sa.UniqueConstraint('number', name=op.f('uq_thread_number'))
    )
    op.create_index(op.f('ix_thread_contact_id'), 'thread', ['contact_id'], unique=False)
    op.create_index(op.f('ix_thread_identity_id'), 'thread', ['identity_id'], unique=False)
    op.create_index(op.f('ix_thread_ticket_id'), 'thread', ['ticket_id'], unique=False)
    op.create_index('uq_thread_live_key', 'thread', ['channel_id', 'key'], unique=True, postgresql_where=sa.text('key IS NOT NULL AND ended_at IS NULL'))
    op.create_table('alert',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('sla_breached', name='alertkind', native_enum=False, length=40), nullable=False),
    sa.Column('state', sa.Enum('firing', 'acked', 'resolved', name='alertstate', native_enum=False, length=40), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('clock_id', sa.Uuid(), nullable=False),
    sa.Column('fired_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('acked_by_id', sa.Uuid(), nullable=True),
    sa.Column('acked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['acked_by_id'], ['agent.id'], name=op.f('fk_alert_acked_by_id')),
    sa.ForeignKeyConstraint(['clock_id'], ['clock.id'], name=op.f('fk_alert_clock_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_alert_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert')),
    sa.UniqueConstraint('clock_id', 'kind', name=op.f('uq_alert_clock_id_kind'))
    )
    op.create_index('ix_alert_state', 'alert', ['state', 'fired_at'], unique=False)
    op.create_index('ix_alert_ticket', 'alert', ['ticket_id'], unique=False)
    op.create_table('item',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.BigInteger(), server_default=sa.text("nextval('history_seq')"), nullable=False),
    sa.Column('kind', sa.Enum('message', 'call', 'note', name='itemkind', native_enum=False, length=40), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('contact_id', sa.Uuid(), nullable=False),
    sa.Column('thread_id', sa.Uuid(), nullable=True),
    sa.Column('channel_id', sa.Uuid(), nullable=True),
    sa.Column('direction', sa.Enum('in', 'out', 'internal', name='direction', native_enum=False, length=40), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=True),
    sa.Column('author', sa.Text(), server_default='', nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('text', sa.Text(), server_default='', nullable=False),
    sa.Column('external_id', sa.Text(), nullable=True),
    sa.Column('arrival_id', sa.Uuid(), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('html', sa.Text(), nullable=True),
    sa.Column('automatic', sa.Boolean(), nullable=True),
    sa.Column('sender_verified', sa.Boolean(), nullable=True),
    sa.Column('delivery', sa.Enum('queued', 'sent', 'delivered', 'read', 'failed', name='deliverystate', native_enum=False, length=40), nullable=True),
    sa.Column('mail', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('call_state', sa.Enum('ringing', 'answered', 'missed', 'ended', name='callstate', native_enum=False, length=40), nullable=True),
    sa.Column('number', sa.Text(), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cause', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_item_agent_id')),
    sa.ForeignKeyConstraint(['arrival_id'], ['arrival.id'], name=op.f('fk_item_arrival_id')),
    sa.ForeignKeyConstraint(['channel_id'], ['channel.id'], name=op.f('fk_item_channel_id')),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_item_contact_id')),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_item_thread_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_item_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_item')),
    sa.UniqueConstraint('seq', name=op.f('uq_item_seq'))
    )
    op.create_index('ix_item_arrival', 'item', ['arrival_id'], unique=False)
    op.create_index('ix_item_contact', 'item', ['contact_id', 'at', 'seq'], unique=False)
    op.create_index('ix_item_due', 'item', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_index('ix_item_external', 'item', ['external_id'], unique=False)
    op.create_index('ix_item_thread', 'item', ['thread_id', 'seq'], unique=False)
    op.create_index('ix_item_ticket', 'item', ['ticket_id', 'at', 'seq'], unique=False)
    op.create_index('ix_item_ticket_seq', 'item', ['ticket_id', 'seq'], unique=False)
    op.create_index('uq_item_external', 'item', ['channel_id', 'external_id'], unique=True)
    op.create_table('attachment',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('mime', sa.Text(), nullable=False),
    sa.Column('bytes', sa.Integer(), nullable=False),
    sa.Column('file', sa.Text(), nullable=True),
    sa.Column('source_url', sa.Text(), nullable=True),
    sa.Column('content_id', sa.Text(), nullable=True),
    sa.Column('inline', sa.Boolean(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_attachment_item_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attachment'))
    )
    op.create_index('ix_attachment_due', 'attachment', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_index(op.f('ix_attachment_item_id'), 'attachment', ['item_id'], unique=False)
    op.create_table('notice',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('event_seq', sa.BigInteger(), nullable=False),
    sa.Column('alert_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_notice_agent_id')),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id'], name=op.f('fk_notice_alert_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notice')),
    sa.UniqueConstraint('agent_id', 'event_seq', name=op.f('uq_notice_agent_id_event_seq'))
    )
    op.create_index('ix_notice_alert', 'notice', ['alert_id'], unique=False)
    op.create_table('delivery',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('notice_id', sa.Uuid(), nullable=False),
    sa.Column('device_id', sa.Uuid(), nullable=False),
    sa.Column('stage', sa.Enum('created', 'sent', 'accepted', 'failed', 'shown', 'opened', 'acted', name='deliverystage', native_enum=False, length=40), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('provider_id', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['device_id'], ['device.id'], name=op.f('fk_delivery_device_id')),
    sa.ForeignKeyConstraint(['notice_id'], ['notice.id'], name=op.f('fk_delivery_notice_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery')),
    sa.UniqueConstraint('notice_id', 'device_id', name=op.f('uq_delivery_notice_id_device_id'))
    )
    op.create_index('ix_delivery_device', 'delivery', ['device_id'], unique=False)
    op.create_index('ix_delivery_due', 'delivery', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
