"""The audit trail: no change without an entry, no entry altered or cut off unnoticed, and all of it can be read."""

import csv
import hashlib
import io
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from planner.core.errors import Conflict, InvalidInput, Unavailable
from planner.flows import trail
from planner.store import audit
from planner.store import tables as t
from planner.store.engine import Store
from tests.api.test_policies import open_client
from tests.conftest import NOW
from tests.databases import lift_append_only


def write(store: Store, count: int, actor: str = "somebody") -> None:
    """Write so many entries."""
    for number in range(count):
        store.tell(
            lambda connection, number=number: audit.record(  # type: ignore[misc]  # bound per entry
                connection,
                at=NOW,
                actor=actor,
                action="test",
                subject=f"s{number}",
                before=number,
                after=number + 1,
                reason="because",
            )
        )


def test_many_writers_make_one_chain(store: Store) -> None:
    """Six at once append to it; nobody's entry is lost and the chain does not fork."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: _patient(store, f"w{number}"), range(6)))
    with store.read() as connection:
        assert audit.check(connection)[:2] == (30, 30)
        assert audit.verify(connection) is None


def _patient(store: Store, actor: str) -> None:
    for _ in range(5):
        while True:
            try:
                write(store, 1, actor)
            except (Conflict, Unavailable):
                continue  # somebody else was faster five times; the entry is written then
            break


def test_what_was_altered_or_cut_off_is_found(store: Store) -> None:
    """An altered entry breaks the chain there; a cut end is whole in itself, and missed by whoever wrote it down."""
    write(store, 5)
    with store.read() as connection:
        found = audit.check(connection)
    mark = (found.last_seq, found.last_hash)
    with store.write() as connection:
        lift_append_only(connection)
        connection.execute(sa.delete(t.audit).where(t.audit.c.seq == 5))
    with store.read() as connection:
        assert audit.check(connection).broken_at is None
        assert audit.check(connection, mark).broken_at == 5
        assert audit.check(connection, (3, "0" * 64)).broken_at == 3
    with store.write() as connection:
        connection.execute(sa.update(t.audit).where(t.audit.c.seq == 2).values(reason="another"))
    with store.read() as connection:
        assert audit.check(connection)[::3] == (1, 2)


def test_the_trail_is_read_in_pages_newest_first(unpriced_copy: Store) -> None:
    """Every entry once, filters exact, and the answer of a check is what a later one may expect."""
    write(unpriced_copy, 7, "pager")
    with open_client(unpriced_copy) as client:
        seen: list[tuple[str, int]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = client.get(f"/v1/audit?actor=pager&limit=3{cursor}").json()
            seen += [(entry["subject"], entry["before"]) for entry in answer["items"]]
            cursor = answer["next_cursor"] and f"&cursor={answer['next_cursor']}"
        assert seen == [(f"s{number}", number) for number in reversed(range(7))]
        assert client.get("/v1/audit?actor=pager&until=2020-01-01T00:00:00Z").json()["items"] == []
        found = client.get("/v1/audit/verify").json()
        assert found["whole"]
        expect = f"{found['last_seq']}:{found['last_hash']}"
        assert client.get(f"/v1/audit/verify?expect={expect}").json()["whole"]
        other = f"{found['last_seq'] + 1}:{found['last_hash']}"
        assert client.get(f"/v1/audit/verify?expect={other}").json()["broken_at"] == found["last_seq"] + 1
        assert client.get("/v1/audit/verify?expect=nonsense").status_code == 422


def exported(client: TestClient, **query: str) -> str:
    """Return an export as text."""
    answer = client.get("/v1/audit/export", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_an_export_is_a_chain_that_anybody_can_check(store: Store) -> None:
    """Each line holds what its hash covers; more entries than are read at a time follow from the first to the last."""
    with store.write() as connection:
        for number in range(1_203):
            audit.record(
                connection, at=NOW, actor="é", action="test", subject=f"s{number}", before=None, after={"n": "\x00"},
                reason="because",
            )  # fmt: skip
    with open_client(store) as client:
        text = exported(client)
    lines = [json.loads(line) for line in text.splitlines()]
    for previous, line in itertools.pairwise(lines):
        covered = {name: value for name, value in line.items() if name != "hash"}
        canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert line["hash"] == hashlib.sha256(canonical.encode()).hexdigest()
        assert line["previous_hash"] == previous["hash"]
    with store.read() as connection:
        assert trail.check_file(text.encode().splitlines(), None) == audit.check(connection)


def test_an_export_holds_what_was_asked_for_until_it_began(store: Store) -> None:
    """Filters are exact; what is written while a slow reader reads is not in it."""
    write(store, 3, "ada")
    write(store, 2, "bob")
    parts = trail.export(store, audit.Wanted(actor="ada"), "jsonl")
    write(store, 1, "ada")
    assert [json.loads(line)["subject"] for line in "".join(parts).splitlines()] == ["s0", "s1", "s2"]
    with open_client(store) as client:
        assert len(exported(client, actor="bob", action="test", since="2026-01-01T00:00:00Z").splitlines()) == 2
        assert exported(client, until="2026-01-01T00:00:00Z").strip() == ""
        assert client.get("/v1/audit/export?format=xml").status_code == 422


def test_a_spreadsheet_finds_no_formula_in_an_export(store: Store) -> None:
    """What somebody gave as a reason is a text there; everything else is as it is on record."""
    with store.write() as connection:
        audit.record(
            connection,
            at=NOW,
            actor="a",
            action="x",
            subject="y",
            before=None,
            after=1,
            reason='=HYPERLINK("http://x")',
        )
    with open_client(store) as client:
        head, row = csv.reader(io.StringIO(exported(client, format="csv")))
    cells = dict(zip(head, row, strict=True))
    assert cells["reason"] == '\'=HYPERLINK("http://x")'
    assert (cells["seq"], cells["before"], cells["after"]) == ("1", "", "1")


def test_a_file_that_was_altered_is_found_out(store: Store) -> None:
    """A changed, missing or swapped line breaks the chain there; a cut end does against a mark; no entry is refused."""
    write(store, 5)
    lines = "".join(trail.export(store, audit.Wanted(), "jsonl")).encode().splitlines()
    whole = trail.check_file(lines, None)
    mark = f"{whole.last_seq}:{whole.last_hash}"
    assert (whole.entries, whole.broken_at) == (5, None)
    assert trail.check_file(lines, mark).broken_at is None
    assert trail.check_file(lines[:4], mark).broken_at == 5
    assert trail.check_file([lines[0], lines[1].replace(b'"s1"', b'"s7"'), *lines[2:]], None).broken_at == 2
    assert trail.check_file([*lines[:2], *lines[3:]], None).broken_at == 3
    assert trail.check_file([lines[1], lines[0]], None).broken_at == 1
    for wrong in (b"{}", b"no", b'{"seq":1,"seq":2}', lines[0].replace(b'"s0"', b"[]"), lines[0][:-1] + b',"x":1}'):
        with pytest.raises(InvalidInput, match="line 1"):
            trail.check_file([wrong], None)
