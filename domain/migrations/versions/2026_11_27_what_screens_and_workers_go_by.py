"""What screens and workers go by"""

import sqlalchemy as sa
from alembic import op

revision = '230b6df90940'
down_revision = '5c1b7f0e92ad'

CHANGED_AGAIN_AND_AGAIN = ('alert', 'arrival', 'clock', 'delivery', 'item', 'notice', 'thread', 'ticket', 'visitor', 'webhook_post')
"""Who asks what is due goes through what was due before, until it is swept: by itself, when a fifth of all rows has changed."""


def upgrade() -> None:
    op.drop_index(op.f('ix_move_contact'), table_name='move')
    op.drop_index(op.f('ix_move_ticket'), table_name='move')
    op.create_index('ix_move_thread', 'move', ['thread_id'], unique=False, postgresql_where=sa.text('thread_id IS NOT NULL'))
    op.create_index(op.f('ix_audit_entry_actor_id_seq'), 'audit_entry', ['actor_id', 'seq'], unique=False)
    op.drop_index(op.f('ix_delivery_device'), table_name='delivery')
    op.create_index('ix_delivery_device', 'delivery', ['device_id', 'id'], unique=False)
    op.create_index('ix_delivery_created', 'delivery', ['created_at', 'id'], unique=False)
    op.create_index('ix_notice_asleep', 'notice', ['id'], unique=False, postgresql_where=sa.text("state = 'trying' AND next_at IS NULL"))
    op.create_index('ix_notice_ticket', 'notice', ['ticket_id'], unique=False, postgresql_where=sa.text('ticket_id IS NOT NULL'))
    op.create_index('ix_sign_in_open', 'sign_in', ['agent_id'], unique=False, postgresql_where=sa.text('ended_at IS NULL'))
    op.create_index('ix_survey_request_words', 'survey_request', ['channel_id'], unique=False, postgresql_where=sa.text("words <> ''"))
    op.create_index('ix_system_mail_delivery', 'system_mail', ['delivery_id'], unique=False, postgresql_where=sa.text('delivery_id IS NOT NULL'))
    op.create_index('ix_task_order', 'task', [sa.literal_column('(done_at IS NOT NULL)'), 'due_at', 'id'], unique=False)
    op.create_index('ix_thread_key', 'thread', ['channel_id', 'key'], unique=False, postgresql_where=sa.text('key IS NOT NULL'))
    op.create_index('ix_thread_move', 'thread', ['move_id'], unique=False, postgresql_where=sa.text('move_id IS NOT NULL'))
    op.create_index('ix_ticket_solved', 'ticket', ['solved_at'], unique=False, postgresql_where=sa.text('solved_at IS NOT NULL'))
    op.create_index('ix_ticket_spam', 'ticket', ['updated_at', 'id'], unique=False, postgresql_where=sa.text('spam_at IS NOT NULL'))
    op.create_index('ix_two_people_other', 'two_people', ['other_id'], unique=False)
    op.create_index('ix_visitor_silent', 'visitor', ['created_at'], unique=False, postgresql_where=sa.text('wrote_at IS NULL'))
    op.drop_constraint(op.f('uq_webhook_post_webhook_id_event_seq'), 'webhook_post', type_='unique')
    op.create_index('ix_webhook_post_created', 'webhook_post', ['created_at'], unique=False, postgresql_using='brin')
    op.create_unique_constraint(op.f('uq_webhook_post_event_seq_webhook_id'), 'webhook_post', ['event_seq', 'webhook_id'])
    for table in CHANGED_AGAIN_AND_AGAIN:
        op.execute(f'ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)')
    op.execute('ALTER TABLE arrival SET (toast.autovacuum_vacuum_scale_factor = 0.02)')  # where originals were emptied
