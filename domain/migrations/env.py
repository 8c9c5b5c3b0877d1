from alembic import context

from domain.db import Base
from domain.migrations import ours

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_name=ours,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
