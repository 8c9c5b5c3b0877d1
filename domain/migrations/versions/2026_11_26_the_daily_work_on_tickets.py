"""the daily work on tickets"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '6542e57c74eb'
down_revision = '20e83e5609d3'


def upgrade() -> None:
    op.drop_index('uq_contact_field_label', table_name='contact_field')
    op.rename_table('contact_field', 'custom_field')
    op.execute('ALTER INDEX pk_contact_field RENAME TO pk_custom_field')
    op.add_column('custom_field', sa.Column('subject', sa.Enum('contact', 'ticket', name='fieldsubject', native_enum=False, length=40), server_default='contact', nullable=False))
    op.create_index('uq_custom_field_label', 'custom_field', ['subject', 'label'], unique=True, postgresql_where=sa.text('archived_at IS NULL'))
    op.create_table('edit',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('by_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('asked', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.Enum('running', 'done', 'undoing', 'undone', name='editstate', native_enum=False, length=40), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undo_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undone_by_id', sa.Uuid(), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['by_id'], ['agent.id'], name=op.f('fk_edit_by_id')),
    sa.ForeignKeyConstraint(['undone_by_id'], ['agent.id'], name=op.f('fk_edit_undone_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_edit'))
    )
    op.create_index('ix_edit_by', 'edit', ['by_id', 'id'], unique=False)
    op.create_index('ix_edit_due', 'edit', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_table('draft',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('identity_id', sa.Uuid(), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('cc', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('bcc', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('files', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('written_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_draft_agent_id')),
    sa.ForeignKeyConstraint(['identity_id'], ['identity.id'], name=op.f('fk_draft_identity_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_draft_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_draft'))
    )
    op.create_index('ix_draft_empty', 'draft', ['written_at'], unique=False, postgresql_where=sa.text("body = ''"))
    op.create_index('uq_draft', 'draft', ['ticket_id', 'agent_id'], unique=True)
    op.create_table('edited_ticket',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('edit_id', sa.Uuid(), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'done', 'failed', 'skipped', 'undone', 'kept', name='outcome', native_enum=False, length=40), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('changed', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('kept', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['edit_id'], ['edit.id'], name=op.f('fk_edited_ticket_edit_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_edited_ticket_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_edited_ticket'))
    )
    op.create_index('ix_edited_ticket_ticket', 'edited_ticket', ['ticket_id'], unique=False)
    op.create_index('uq_edited_ticket', 'edited_ticket', ['edit_id', 'place'], unique=True)
    op.create_table('ticket_link',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('related', 'blocks', 'parent_of', name='linkkind', native_enum=False, length=40), nullable=False),
    sa.Column('from_id', sa.Uuid(), nullable=False),
    sa.Column('to_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('by_id', sa.Uuid(), nullable=True),
    sa.ForeignKeyConstraint(['by_id'], ['agent.id'], name=op.f('fk_ticket_link_by_id')),
    sa.ForeignKeyConstraint(['from_id'], ['ticket.id'], name=op.f('fk_ticket_link_from_id')),
    sa.ForeignKeyConstraint(['to_id'], ['ticket.id'], name=op.f('fk_ticket_link_to_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket_link'))
    )
    op.create_index('ix_ticket_link_to', 'ticket_link', ['to_id'], unique=False)
    op.create_index('uq_ticket_link', 'ticket_link', ['from_id', 'to_id', 'kind'], unique=True)
    op.create_index('uq_ticket_link_parent', 'ticket_link', ['to_id'], unique=True, postgresql_where=sa.text("kind = 'parent_of'"))
    op.create_table('viewing',
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('sign_in_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('intent', sa.Enum('viewing', 'typing', 'left', name='intent', native_enum=False, length=40), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_viewing_agent_id')),
    sa.ForeignKeyConstraint(['sign_in_id'], ['sign_in.id'], name=op.f('fk_viewing_sign_in_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_viewing_ticket_id')),
    sa.PrimaryKeyConstraint('ticket_id', 'sign_in_id', name=op.f('pk_viewing'))
    )
    op.create_index('ix_viewing_expires', 'viewing', ['expires_at'], unique=False)
    op.create_index(op.f('ix_viewing_sign_in_id'), 'viewing', ['sign_in_id'], unique=False)
    op.create_table('mention',
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_mention_agent_id')),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_mention_item_id')),
    sa.PrimaryKeyConstraint('item_id', 'agent_id', name=op.f('pk_mention'))
    )
    op.create_index('ix_mention_agent', 'mention', ['agent_id', 'item_id'], unique=False)
    op.add_column('ticket', sa.Column('fields', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False))
    op.add_column('ticket', sa.Column('snoozed_until', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_ticket_snoozed', 'ticket', ['snoozed_until'], unique=False, postgresql_where=sa.text('snoozed_until IS NOT NULL'))
