"""Every adapter on small real payloads: whole, cut at every byte, and broken at random."""

import os
import subprocess
import sys

import pytest

from tests.sources.golden import FOLDER, ROWS, payload, text
from tests.sources.mutations import broken, check_refused

MUTATIONS = 300


@pytest.mark.parametrize("source", ROWS)
def test_a_recorded_payload_gives_its_claims(source: str) -> None:
    """The claims written beside the payload, rate by rate and band by band."""
    assert text(source) == (FOLDER / f"{source}.claims.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_a_reading_does_not_depend_on_the_process(seed: str) -> None:
    """Under any hash seed the same text, order included: else an unchanged row would count as a changed one."""
    command = [sys.executable, "-m", "tests.sources.golden", "--print"]
    printed = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True)
    assert printed.stdout.decode() == "".join(text(source) for source in ROWS)


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
