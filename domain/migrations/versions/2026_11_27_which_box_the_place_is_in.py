"""which box the place is in"""

import sqlalchemy as sa
from alembic import op

revision = '722cb6d169ab'
down_revision = '0ff7c26767d5'


def upgrade() -> None:
    op.add_column('fetched_box', sa.Column('place', sa.Text(), nullable=True))
