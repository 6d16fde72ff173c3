"""Where planner finds the files that travel with it: the bundled catalogue and the migrations."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def seeds_dir() -> Path:
    """Folder of the bundled catalogue, read-only."""
    return bundled("seeds")


def migrations_dir() -> Path:
    """Folder of the Alembic environment: `env.py` and `versions/`."""
    return bundled("migrations")


def bundled(name: str) -> Path:
    """Folder ``name``, inside the package when planner was installed from a wheel, else at the top of the checkout.

    Only a wheel has `_bundle`, so it is asked first: a stranger's top-level `migrations` in site-packages, which
    careless packages do leave there, is never taken for ours.
    """
    inside = PACKAGE / "_bundle" / name
    return inside if inside.is_dir() else PACKAGE.parent / name
