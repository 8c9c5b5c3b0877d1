"""who has signed out of the chat"""

import sqlalchemy as sa
from alembic import op

revision = "7dfe0c45c2ed"
down_revision = "3d9f4b7c20ae"


def upgrade() -> None:
    op.add_column("visitor", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
