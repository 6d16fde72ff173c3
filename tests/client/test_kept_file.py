"""The file of last good answers: what a restarted process may use, and what it may not."""

import json
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from planner.client import (
    NothingCompliant,
    Planner,
    Unavailable,
)
from tests.client.peers import DOWN, KEY, SAME, Hands, Peer, client, good, problem


def test_a_restart_has_the_last_good_answer(peer: Peer, url: str, tmp_path: Path) -> None:
    """With its age by the clock on the wall and its ETag; it is not used unasked."""
    file, hands = tmp_path / "answers.json", Hands()
    with client(url, hands, last_good_file=file) as planner:
        planner.recommendation("pro", "chat")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY not in file.read_text()
    later = Hands(monotonic=5.0, wall=hands.wall + 10)
    with client(url, later, last_good_file=file, poll_every=60) as planner:
        peer.then(DOWN)
        found = planner.recommendation("pro", "chat")
        assert (found.last_good, found.age_seconds) == (True, 10)
        assert found.choice.cost_usd == Decimal("0.00021")
        peer.then(SAME)
        assert not planner.recommendation("pro", "chat").last_good
    assert [asked.headers.get("If-None-Match") for asked in peer.asked] == [None, '"one"', '"one"']


@pytest.mark.parametrize(
    ("wall", "until"), [(31, None), (-1, None), (10, "2026-11-24T12:00:09Z")], ids=["old", "from later", "ended"]
)
def test_what_the_file_has_may_be_too_old(peer: Peer, url: str, tmp_path: Path, wall: float, until: str | None) -> None:
    """Beyond the age, beyond its end, or of a time that has not been yet: nobody knows how old that is."""
    file, hands = tmp_path / "answers.json", Hands()
    peer.then(good(valid_until=until))
    with client(url, hands, last_good_file=file) as planner:
        planner.recommendation("pro", "chat")
    peer.then(DOWN)
    with client(url, Hands(wall=hands.wall + wall), last_good_file=file) as planner, pytest.raises(Unavailable):
        planner.recommendation("pro", "chat")


def test_a_refusal_leaves_the_file_at_once(peer: Peer, url: str, tmp_path: Path) -> None:
    """A process that is killed after it does not bring the answer back."""
    file = tmp_path / "answers.json"
    with client(url, last_good_file=file) as planner:
        planner.recommendation("pro", "chat")
    planner = client(url, last_good_file=file)
    peer.then(problem(409, "nothing_compliant"))
    with pytest.raises(NothingCompliant):
        planner.recommendation("pro", "chat")
    assert json.loads(file.read_text())["answers"] == []
    planner.close()


def test_the_file_is_written_now_and_then(url: str, tmp_path: Path) -> None:
    """Not at every answer: it would be written a thousand times a second."""
    file, hands = tmp_path / "answers.json", Hands()
    planner = client(url, hands, last_good_file=file)
    planner.recommendation("pro", "chat")
    assert not file.exists()
    hands.move(5)
    planner.recommendation("pro", "chat")
    assert json.loads(file.read_text())["answers"][0]["asked_wall"] == hands.wall
    planner.close()


HOLLOW = (
    b'{"layout": 1, "scope": "SCOPE", "answers": [{"key": ["pro", "chat", null], "etag": null, "asked_wall": 1,'
    b' "ends_wall": null, "answer": {}}]}'
)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff", b'{"layout": 1}', b'{"layout": 2, "scope": "", "answers": []}',
        b'{"layout": 1, "scope": "SCOPE", "answers": [{"key": ["a", "b"]}]}',
        b'{"layout": 1, "scope": "SCOPE", "answers": [{"key": [1, "b", null], "etag": null, "answer": {}}]}',
        HOLLOW,
    ],
)  # fmt: skip
def test_a_broken_file_is_as_none(peer: Peer, url: str, tmp_path: Path, content: bytes) -> None:
    """Of whatever kind; the client starts without."""
    file = tmp_path / "answers.json"
    with client(url, last_good_file=file) as planner:
        planner.recommendation("pro", "chat")
    scope = json.loads(file.read_text())["scope"].encode()
    file.write_bytes(content.replace(b"SCOPE", scope))
    peer.then(DOWN)
    with client(url, last_good_file=file) as planner, pytest.raises(Unavailable):
        planner.recommendation("pro", "chat")


def test_another_key_does_not_read_it(peer: Peer, url: str, tmp_path: Path) -> None:
    """What one key was told is not another's."""
    file = tmp_path / "answers.json"
    with client(url, last_good_file=file) as planner:
        planner.recommendation("pro", "chat")
    peer.then(DOWN)
    with Planner(url, "pk_other", retries=0, last_good_file=file) as planner, pytest.raises(Unavailable):
        planner.recommendation("pro", "chat")


def test_a_file_that_cannot_be_written_costs_no_answer(url: str, tmp_path: Path) -> None:
    """The client says why, and nothing is left lying about."""
    file = tmp_path / "answers.json"
    file.mkdir()
    with client(url, last_good_file=file) as planner:
        assert not planner.recommendation("pro", "chat").last_good
    assert isinstance(planner.save_error, OSError)
    assert list(tmp_path.iterdir()) == [file]
