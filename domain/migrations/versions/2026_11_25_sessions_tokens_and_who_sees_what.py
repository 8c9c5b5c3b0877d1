"""sessions, tokens and who sees what"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import domain.db

revision = 'edfa5121b1be'
down_revision = 'first'


def upgrade() -> None:
    op.create_table('shop',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('agents_see', sa.Enum('teams', 'all', name='agentssee', native_enum=False, length=40), nullable=False),
    sa.CheckConstraint('id = 1', name=op.f('ck_shop_one_row')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_shop'))
    )
    op.create_table('sign_in_try',
    sa.Column('key', sa.LargeBinary(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_sign_in_try'))
    )
    op.create_index(op.f('ix_sign_in_try_last_at'), 'sign_in_try', ['last_at'], unique=False)
    op.create_table('system_mail',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_system_mail'))
    )
    op.create_index('ix_system_mail_due', 'system_mail', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_table('api_token',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('scopes', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('created_by_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['created_by_id'], ['agent.id'], name=op.f('fk_api_token_created_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_token')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_api_token_token_hash'))
    )
    op.create_table('password_link',
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('purpose', sa.Enum('invitation', 'reset', name='purpose', native_enum=False, length=40), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_password_link_agent_id')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_password_link'))
    )
    op.create_index(op.f('ix_password_link_agent_id'), 'password_link', ['agent_id'], unique=False)
    op.create_table('second_factor',
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('sealed_secret', sa.LargeBinary(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_step', sa.Integer(), server_default='0', nullable=False),
    sa.Column('recovery_hashes', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_second_factor_agent_id')),
    sa.PrimaryKeyConstraint('agent_id', name=op.f('pk_second_factor'))
    )
    op.create_table('spent_refresh',
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('sign_in_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['sign_in_id'], ['sign_in.id'], name=op.f('fk_spent_refresh_sign_in_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_spent_refresh'))
    )
    op.create_index(op.f('ix_spent_refresh_sign_in_id'), 'spent_refresh', ['sign_in_id'], unique=False)
    op.add_column('done', sa.Column('sealed', sa.LargeBinary(), nullable=True))
    op.drop_column('done', 'result')
    op.add_column('sign_in', sa.Column('kind', sa.Enum('app', 'web', name='sessionkind', native_enum=False, length=40), nullable=False, server_default='app'))
    op.alter_column('sign_in', 'kind', server_default=None)
    op.add_column('sign_in', sa.Column('refresh_hash', sa.LargeBinary(), nullable=True))
    op.add_column('sign_in', sa.Column('refresh_expires_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('sign_in', sa.Column('address', sa.Text(), nullable=True))
    op.add_column('sign_in', sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True))
    op.execute('UPDATE sign_in SET seen_at = created_at')
    op.alter_column('sign_in', 'seen_at', nullable=False)
    op.add_column('sign_in', sa.Column('ended_because', sa.Enum('signed_out', 'ended', 'reused', 'password', name='ended', native_enum=False, length=40), nullable=True))
    op.create_unique_constraint(op.f('uq_sign_in_refresh_hash'), 'sign_in', ['refresh_hash'])
