"""How a migration runs: on the connection it is given, in one transaction, in batch mode for SQLite."""

from alembic import context
from sqlalchemy import create_engine

from planner.store.tables import metadata


def run() -> None:
    """Run the migrations on the given connection, or on the URL of ``alembic.ini`` when Alembic is called by hand."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        url = context.config.get_main_option("sqlalchemy.url")
        if not url:
            raise SystemExit(
                "give the database: alembic -x url=… is not read; set sqlalchemy.url, or use planner db upgrade"
            )
        with create_engine(url).connect() as opened:
            _migrate(opened)
        return
    _migrate(connection)


def _migrate(connection: object) -> None:
    context.configure(
        connection=connection,  # type: ignore[arg-type]  # a SQLAlchemy connection, passed through Alembic's attributes
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
