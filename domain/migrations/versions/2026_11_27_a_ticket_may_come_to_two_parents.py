"""a ticket may come to two parents"""

from alembic import op

revision = '0ff7c26767d5'
down_revision = 'fbe789090345'


def upgrade() -> None:
    op.drop_index('uq_ticket_link_parent', table_name='ticket_link')
