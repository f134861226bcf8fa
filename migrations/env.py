"""Runs migrations on the Database handed in by `ost.db.migrate`; nothing else."""

from alembic import context

from ost.models import metadata

database = context.config.attributes["database"]
with database.begin() as connection:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
