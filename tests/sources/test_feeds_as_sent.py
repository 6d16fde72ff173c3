"""Every adapter on small real payloads: whole, cut at every byte, and broken at random."""

import json

import pytest

from tests.sources.golden import FOLDER, ROWS, parse, payload, written
from tests.sources.mutations import broken, check_refused

MUTATIONS = 300


@pytest.mark.parametrize("source", ROWS)
def test_a_recorded_payload_gives_its_claims(source: str) -> None:
    """The claims written beside the payload, rate by rate and band by band."""
    expected = json.loads((FOLDER / f"{source}.claims.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(written(parse(source, payload(source))))) == expected


@pytest.mark.parametrize("source", ROWS)
def test_a_payload_cut_at_any_byte_is_refused(source: str) -> None:
    """There is no length at which half a feed passes for a whole one."""
    body = payload(source).rstrip()
    for length in range(len(body)):
        check_refused(source, body[:length])


@pytest.mark.parametrize("source", ROWS)
def test_a_broken_row_takes_nobody_with_it(source: str) -> None:
    """A sample of the mutation sweep: refused whole, or exactly the other rows' claims."""
    ways = {broken(source, seed) for seed in range(MUTATIONS)}
    # All two dozen ways were tried.
    assert len(ways) > 20
