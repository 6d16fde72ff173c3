"""The audit trail: no change without an entry, no entry altered or cut off unnoticed, and all of it can be read."""

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from planner.core.errors import Conflict, Unavailable
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


def test_the_trail_is_read_in_pages_newest_first(installed_copy: Store) -> None:
    """Every entry once, filters exact, and the answer of a check is what a later one may expect."""
    write(installed_copy, 7, "pager")
    with open_client(installed_copy) as client:
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
