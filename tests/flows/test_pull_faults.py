"""Pulling from a vendor that is down, rude, endless or wrong: a reason, and nothing that was booked by half."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from planner.core.errors import Overtaken
from planner.flows.pull import Wish, pull, reason
from planner.sources.fetch import Limits
from planner.store import pulls
from planner.store.engine import Connection, Store
from tests import vendors
from tests.flows.test_pull import NOON, TODAY, YESTERDAY, books, pulled, why
from tests.ledger_books import DAY, total
from tests.vendors import COMPLETIONS, COSTS

__all__ = ["books"]

PAGE = json.dumps({"data": [], "has_more": True, "next_page": "x"}).encode()


@pytest.mark.parametrize(
    ("faults", "code", "words"),
    [
        ([(401, {}, b"{}")], "http_status", "status 401: the key may not read this report; OPENAI_ADMIN_KEY"),
        ([(403, {}, b"{}")], "http_status", "status 403"),
        ([(400, {}, b'{"secret": 1}')], "http_status", "status 400"),
        ([(429, {"Retry-After": "0"}, b"{}")] * 3, "http_status", "status 429"),
        ([(500, {}, b"oops")] * 3, "http_status", "status 500"),
        ([(302, {"Location": "http://127.0.0.1:1/"}, b"")], "redirect", "302"),
        ([(200, {}, b"<!doctype html><title>Sign in</title>")], "not_json", ""),
        ([(200, {}, b'{"data": [{"object": "bucket", "start_t')], "not_json", ""),
        ([(200, {}, b'{"data": {"object": "list"}}')], "wrong_shape", "list under data"),
        ([(200, {}, b"[]")], "wrong_shape", ""),
        ([(200, {}, b'{"data": [], "has_more": true, "next_page": null}')], "wrong_shape", "more pages follow"),
        ([(200, {}, PAGE)] * 2, "endless", "circle"),
        ([(200, {}, b'{"data": [{"object": "bucket", "results": 1}]}')], "unreadable", "results: a list is needed"),
        ([(200, {}, b'{"data": [{"start_time": 1, "end_time": 86401, "results": [{"object": "x"}]}]}')],
         "unreadable", "object"),
        ([(200, {}, b'{"data": ["' + b"x" * (1 << 20) + b'"]}')], "too_large", ""),
    ],
)  # fmt: skip
def test_a_fault_changes_nothing_and_says_why(
    books: Store, faults: list[tuple[int, Mapping[str, str], bytes]], code: str, words: str
) -> None:
    """A clear reason, nothing booked, and the next pull asks for all of it again."""
    vendor = vendors.openai()
    for number in range(1, 30):
        vendor.put(COMPLETIONS, TODAY - number * DAY, vendors.completion(100))
    with vendor.serving() as account:
        vendor.faults = list(faults)
        done = pulled(books, account, Wish(only="usage"))["usage"]
        assert done.error is not None
        said = reason(done.error)
        assert (said[0], words in said[1], vendors.KEY in said[1], "secret" in said[1]) == (code, True, False, False)
        assert (total(books).rows, vendor.faults) == (0, [])
        again = pulled(books, account, Wish(only="usage"))["usage"]
    assert (again.error, again.window.since, total(books).rows) == (None, TODAY - 30 * DAY, 29)


@pytest.mark.parametrize("good", [1, 4, 11])
def test_a_fault_in_the_middle_changes_nothing(books: Store, good: int) -> None:
    """However many pages came before it."""
    vendor = vendors.openai()
    for number in range(1, 30):
        vendor.put(COMPLETIONS, TODAY - number * DAY, vendors.completion(100))
    vendor.good, vendor.faults = good, [(200, {}, b'{"data": [{"object": "bucket", "start_t')]
    with vendor.serving() as account:
        assert why(pulled(books, account, Wish(only="usage"))["usage"]) == "not_json"
    assert (total(books).rows, vendor.faults) == (0, [])


def test_a_server_that_asks_for_patience_is_given_it(books: Store) -> None:
    """Two refusals with a pause that was asked for, and the third try is answered."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100))
    vendor.faults = [(429, {"Retry-After": "0"}, b""), (503, {}, b"")]
    with vendor.serving() as account:
        assert pulled(books, account)["usage"].error is None
    assert total(books).input_tokens == 100


def test_a_report_that_fails_leaves_the_others_alone(books: Store) -> None:
    """Costs come in although usage does not."""
    vendor = vendors.openai()
    vendor.put(COSTS, YESTERDAY, vendors.line_item("2"))
    del vendor.lists[COMPLETIONS]
    with vendor.serving() as account:
        done = pulled(books, account)
    assert {report: why(one) for report, one in done.items()} == {"usage": "http_status", "costs": None}


def test_a_server_that_drips_is_left(books: Store) -> None:
    """The deadline is of everything together."""
    vendor = vendors.openai()
    vendor.faults = [(429, {"Retry-After": "60"}, b"")]
    with vendor.serving(limits=Limits(deadline_seconds=0.2, whole_seconds=0.2)) as account:
        assert why(pulled(books, account, Wish(only="usage"))["usage"]) == "timeout"


def test_a_dry_run_asks_and_stores_nothing(books: Store) -> None:
    """It says what would be, and is no attempt."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100))
    with vendor.serving() as account:
        done = pulled(books, account, Wish(dry_run=True))["usage"]
    assert done.summary is not None
    assert done.summary.outcomes == {"stored": 1}
    with books.read() as connection:
        assert (total(books).rows, pulls.every(connection, 10)) == (0, [])


def test_who_was_overtaken_books_nothing(books: Store) -> None:
    """The turn is looked at after the last page and before the first row."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100))

    def fence(_connection: Connection) -> None:
        raise Overtaken("turn", "pull:openai", "its lease ran out")

    with vendor.serving() as account, pytest.raises(Overtaken):
        pull(books, account, Wish(), now=lambda: NOON, by="test", fence=fence)
    assert total(books).rows == 0


def test_a_key_is_in_no_text(books: Store) -> None:
    """Not in what an account prints, nor in what is kept of a pull."""
    with vendors.openai().serving() as account:
        wrong = replace(account, key="sk-other-secret")
        done = pulled(books, wrong)
    with books.read() as connection:
        kept = json.dumps(pulls.every(connection, 10), default=str)
    assert "401" in kept
    assert all("secret" not in text for text in (repr(account), repr(wrong), repr(done), kept))
