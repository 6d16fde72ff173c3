"""The recorded feeds and oracle cases, which live beside the project and not in it."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def shared(*parts: str) -> Path:
    """Return a recorded file, or skip the test where the recordings are not at hand."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the recorded data is not here: {'/'.join(parts)}")
    return path
