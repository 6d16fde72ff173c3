"""The schema this version needs, and the check everybody makes before they touch a database."""

import sqlalchemy as sa

from planner.core.errors import NotFound, SchemaMismatch, Unavailable
from planner.store.engine import open_store

# The newest file of migrations/versions; a test holds the two together. Asking Alembic would cost every command
# a tenth of a second.
REVISION = "0013"


def check(url: str) -> None:
    """Refuse a database whose schema is not this version's.

    Raises:
        SchemaMismatch: there is no database or no schema yet, or it is older or newer than this version.
        Unavailable: the database does not answer, or the file is none.
    """
    try:
        store = open_store(url)
    except NotFound:
        raise SchemaMismatch(found=None, wanted=REVISION) from None
    try:
        with store.engine.connect() as connection:
            found = None
            if sa.inspect(connection).has_table("alembic_version"):
                found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    except sa.exc.DatabaseError as error:
        raise Unavailable("the database does not answer, or is none") from error
    finally:
        store.close()
    if found != REVISION:
        raise SchemaMismatch(found=found, wanted=REVISION)
