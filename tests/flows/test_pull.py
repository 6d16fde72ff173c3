"""Pulling from vendors on loopback: every row once, later words for earlier ones, and only days that are over."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from planner.core.errors import InvalidInput
from planner.core.event import Role
from planner.core.money import pico_text, plain
from planner.flows.pull import Pulled, Wish, pull, reason, window_of
from planner.sources.usage_apis import VENDORS, Account
from planner.store import aggregates, streams
from planner.store.engine import Store
from planner.store.streams import Stream
from tests import vendors
from tests.ledger_books import DAY, booked, event, know, statuses, take, total
from tests.vendors import ACTIVITY, ANALYTICS_COST, ANALYTICS_USAGE, COMPLETIONS, COSTS, LEGACY_COST, LEGACY_USAGE

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = datetime(2026, 11, 24, tzinfo=UTC)
YESTERDAY = TODAY - DAY


@pytest.fixture
def books(store: Store) -> Store:
    """Books without anything in them."""
    return know(store)


def pulled(store: Store, account: Account, wish: Wish = Wish(), at: datetime = NOON) -> dict[str, Pulled]:  # noqa: B008
    """Pull, and return what became of each report."""
    return {done.report: done for done in pull(store, account, wish, now=lambda: at, by="test")}


def why(done: Pulled) -> str | None:
    """Return the code of why a report was not pulled."""
    return None if done.error is None else reason(done.error)[0]


def stated(store: Store, source: str) -> str:
    """Return the dollars that the rows of a stream state by now."""
    with store.read() as connection:
        rows = aggregates.within(connection, source, TODAY - 400 * DAY, TODAY + DAY)
    return plain(sum((row.stated_usd or Decimal(0) for row in rows), Decimal(0)))


# --- every row once ---------------------------------------------------------------------------------------


def test_every_page_of_every_list_is_read_into_its_stream(books: Store) -> None:
    """Thirty days in pages of seven: usage counts, costs are held against it, and today is not asked for."""
    vendor = vendors.openai()
    for number in range(40):
        vendor.put(COMPLETIONS, TODAY - number * DAY, vendors.completion(100))
        vendor.put(COSTS, TODAY - number * DAY, vendors.line_item("0.25"))
    with vendor.serving() as account:
        done = pulled(books, account)
    assert {report: (one.summary.rows, why(one)) for report, one in done.items() if one.summary} == {
        "usage": (30, None), "costs": (30, None),
    }  # fmt: skip
    assert done["usage"].answer is not None
    assert len(done["usage"].answer.pages) == 5 + 7
    assert (total(books).input_tokens, stated(books, "openai_costs")) == (3_000, "7.5")
    with books.read() as connection:
        roles = {stream.source: stream.role for stream in streams.every(connection)}
    assert roles == {"openai_usage": Role.LEDGER, "openai_costs": Role.EVIDENCE}


def test_it_is_asked_in_the_documented_words(books: Store) -> None:
    """Times, widths, groups and keys as each vendor calls them."""
    openai, anthropic, openrouter = vendors.openai(), vendors.anthropic(), vendors.openrouter()
    wish = Wish(since=YESTERDAY)
    for vendor in (openai, anthropic, openrouter):
        with vendor.serving() as account:
            pulled(books, account, wish)
    path, query = openai.asked[0]
    assert (path, query) == (
        COMPLETIONS,
        {
            "start_time": ["1795392000"], "end_time": ["1795478400"], "bucket_width": ["1d"], "limit": ["31"],
            "group_by": ["project_id", "api_key_id", "model", "batch", "service_tier"],
        },
    )  # fmt: skip
    assert openai.headers[0]["authorization"] == f"Bearer {vendors.KEY}"
    path, query = anthropic.asked[0]
    assert path == ANALYTICS_USAGE
    assert query["starting_at"] == ["2026-11-23T00:00:00Z"]
    assert query["ending_at"] == ["2026-11-24T00:00:00Z"]
    assert query["time_bucket_width"] == ["1d"]
    assert {"model", "speed"} <= set(query["group_by[]"])
    sent = anthropic.headers[0]
    assert (sent["x-api-key"], sent["anthropic-version"]) == (vendors.KEY, "2023-06-01")
    assert sent["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
    assert openrouter.asked == [(ACTIVITY, {"date": ["2026-11-23"]})]


def test_overlapping_windows_count_nothing_twice(books: Store) -> None:
    """The second pull asks again for what may still change, and books only what is new."""
    vendor = vendors.openai()
    for number in range(1, 20):
        vendor.put(COMPLETIONS, TODAY - number * DAY, vendors.completion(100))
    with vendor.serving() as account:
        first = pulled(books, account)
        vendor.put(COMPLETIONS, TODAY, vendors.completion(7))
        second = pulled(books, account, at=NOON + DAY)
    assert (first["usage"].window.since, second["usage"].window.since) == (TODAY - 30 * DAY, TODAY - 7 * DAY)
    assert second["usage"].summary is not None
    assert second["usage"].summary.outcomes == {"duplicate": 7, "stored": 1}
    assert total(books).input_tokens == 1_907


def test_a_late_correction_takes_the_place_of_what_was_said(books: Store) -> None:
    """Only the difference is booked, whichever way it goes."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100))
    with vendor.serving() as account:
        pulled(books, account)
        vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(130))
        done = pulled(books, account)
    assert done["usage"].summary is not None
    assert done["usage"].summary.outcomes == {"superseded": 1}
    assert total(books).input_tokens == 130
    assert [line[0] for line in booked(books)] == ["usage", "superseded", "usage"]


def test_what_moved_to_another_row_leaves_the_first(books: Store) -> None:
    """Usage that is said of another project counts there alone, and may move back."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100, project=None), vendors.completion(50, project="q"))
    vendor.put(COSTS, YESTERDAY, vendors.line_item("2", project=None))
    with vendor.serving() as account:
        pulled(books, account)
        for project in ("p", None, "p"):
            vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(150, project=project))
            vendor.put(COSTS, YESTERDAY, vendors.line_item("2", project=project))
            done = pulled(books, account)
            assert {report: why(one) for report, one in done.items()} == {"usage": None, "costs": None}
            assert (total(books).input_tokens, stated(books, "openai_costs")) == (150, "2")
        again = pulled(books, account)
    assert again["usage"].summary is not None
    assert again["usage"].summary.vanished == 0


def test_an_answer_that_holds_far_less_changes_nothing(books: Store) -> None:
    """An empty page is no correction: a person lets it through, or it waits."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100))
    vendor.put(COSTS, YESTERDAY, vendors.line_item("2"))
    with vendor.serving() as account:
        pulled(books, account)
        vendor.put(COMPLETIONS, YESTERDAY)
        vendor.put(COSTS, YESTERDAY)
        done = pulled(books, account)
        assert {report: why(one) for report, one in done.items()} == {"usage": "conflict", "costs": "conflict"}
        assert (total(books).input_tokens, stated(books, "openai_costs")) == (100, "2")
        pulled(books, account, Wish(less=True))
    assert (total(books).input_tokens, stated(books, "openai_costs")) == (0, "0")


def test_what_is_given_back_lowers_what_was_billed(books: Store) -> None:
    """A cost that is corrected below nothing takes the place of the one before, and may stay, alone too."""
    vendor = vendors.openai()
    vendor.put(COSTS, YESTERDAY, vendors.line_item("10"), vendors.line_item("0.5", "search"))
    with vendor.serving() as account:
        pulled(books, account)
        vendor.put(COSTS, YESTERDAY, vendors.line_item("10"), vendors.line_item("-0.5", "search"))
        done = pulled(books, account)["costs"]
        assert done.summary is not None
        assert (done.summary.refused_rows, stated(books, "openai_costs")) == (0, "9.5")
        vendor.put(COSTS, YESTERDAY, vendors.line_item("-0.5", "search"))
        pulled(books, account, Wish(less=True))
        assert why(pulled(books, account)["costs"]) is None
    assert stated(books, "openai_costs") == "-0.5"


def test_a_list_that_is_not_there_takes_nothing_back(books: Store) -> None:
    """Searches are counted in a list that not every organization has; what was read of it before stays."""
    vendor = vendors.openai()
    searches = "/v1/organization/usage/web_search_calls"
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100))
    vendor.put(searches, YESTERDAY, {
        "object": "organization.usage.web_searches.result", "num_model_requests": 2, "num_requests": 2,
        "project_id": "p", "user_id": None, "api_key_id": "k", "model": "gpt-4o-mini", "context_level": "low",
    })  # fmt: skip
    with vendor.serving() as account:
        assert (pulled(books, account)["usage"].summary or None) is not None
        del vendor.lists[searches]
        done = pulled(books, account)["usage"]
    assert done.answer is not None
    assert done.answer.missing == (searches,)
    assert done.summary is not None
    assert (done.summary.vanished, total(books).rows) == (0, 2)


def test_what_moves_is_counted_once_where_a_list_is_not_there(books: Store) -> None:
    """An organization that never had the lists of searches: its completions are told as a whole all the same."""
    vendor = vendors.openai()
    for kind in ("web_search_calls", "file_search_calls"):
        del vendor.lists[f"/v1/organization/usage/{kind}"]
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100, project="p"))
    with vendor.serving() as account:
        pulled(books, account)
        vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100, project="q"))
        done = pulled(books, account)["usage"]
    assert done.summary is not None
    assert (done.summary.vanished, total(books).input_tokens) == (1, 100)


def test_a_stream_that_tells_of_the_same_days_is_chosen_between(books: Store) -> None:
    """The gateway's log counts already: the pull waits for a person, who says once that it is evidence."""
    vendor = vendors.openai()
    vendor.put(COMPLETIONS, YESTERDAY, vendors.completion(100))
    log = Stream("log", Role.LEDGER, feed="openai")
    row = event("1", YESTERDAY, source="log", provider="openai", model="gpt-4o-mini", input_tokens=7)
    assert statuses(take(books, row, stream=log)) == ["stored"]
    with vendor.serving() as account:
        with pytest.raises(InvalidInput, match="role"):
            pulled(books, account, Wish(role=Role.EVIDENCE))
        assert why(pulled(books, account, Wish(only="usage"))["usage"]) == "conflict"
        done = pulled(books, account, Wish(only="usage", role=Role.EVIDENCE))["usage"]
        again = pulled(books, account)["usage"]
    assert (done.error, done.role, again.error, again.role) == (None, Role.EVIDENCE, None, Role.EVIDENCE)
    assert total(books).input_tokens == 7


# --- Anthropic, OpenRouter --------------------------------------------------------------------------------


def test_the_newer_reports_are_asked_first_and_cents_are_cents(books: Store) -> None:
    """A cost of 8042.175 cents is 80.42175 dollars."""
    vendor = vendors.anthropic()
    vendor.put(ANALYTICS_USAGE, YESTERDAY, vendors.message_usage(1_000))
    vendor.put(ANALYTICS_COST, YESTERDAY, vendors.message_cost("8042.175"))
    with vendor.serving() as account:
        done = pulled(books, account)
    assert [one.answer.way for one in done.values() if one.answer] == ["analytics", "analytics"]
    assert (total(books).input_tokens, stated(books, "anthropic_costs")) == (1_000, "80.42175")


def test_an_organization_without_the_newer_reports_has_the_older(books: Store) -> None:
    """And from when it has them, the same days are counted by them alone."""
    vendor = vendors.anthropic(LEGACY_USAGE, LEGACY_COST)
    vendor.put(LEGACY_USAGE, YESTERDAY, vendors.legacy_usage(1_000))
    with vendor.serving() as account:
        assert [one.answer.way for one in pulled(books, account).values() if one.answer] == ["legacy", "legacy"]
        assert total(books).input_tokens == 1_000
        assert {"anthropic-beta"}.isdisjoint(vendor.headers[-1])
        vendor.lists |= {ANALYTICS_USAGE: {}, ANALYTICS_COST: {}}
        vendor.put(ANALYTICS_USAGE, YESTERDAY, vendors.message_usage(1_100))
        done = pulled(books, account)["usage"]
    assert done.answer is not None
    assert done.answer.way == "analytics"
    assert done.error is None
    assert total(books).input_tokens == 1_100


def test_a_way_that_was_chosen_is_the_only_one(books: Store) -> None:
    """Where the setting says so, nothing is asked of the other reports."""
    vendor = vendors.anthropic(LEGACY_USAGE, LEGACY_COST)
    with vendor.serving("analytics") as account:
        assert {why(one) for one in pulled(books, account).values()} == {"http_status"}
    assert {path for path, _query in vendor.asked} == {ANALYTICS_USAGE, ANALYTICS_COST}


def test_what_the_vendor_has_not_counted_yet_is_not_taken_for_known(books: Store) -> None:
    """The last day it refreshed is the last that counts as pulled, and a bucket that lags is read again."""
    vendor = vendors.anthropic()
    vendor.put(ANALYTICS_USAGE, YESTERDAY - DAY, vendors.message_usage(1_000))
    vendor.more = {"data_refreshed_at": "2026-11-23T20:00:00Z"}
    with vendor.serving() as account:
        assert pulled(books, account)["usage"].through == YESTERDAY
        vendor.more = {}
        vendor.put(ANALYTICS_USAGE, YESTERDAY, vendors.message_usage(500))
        assert pulled(books, account)["usage"].through == TODAY
    assert total(books).input_tokens == 1_500


def test_activity_is_asked_day_by_day_as_far_as_it_goes(books: Store) -> None:
    """Thirty days at most; what lies further back and was never pulled is lost, and said."""
    vendor = vendors.openrouter()
    for number in range(1, 31):
        vendor.put(ACTIVITY, TODAY - number * DAY, vendors.activity(TODAY - number * DAY, "0.5"))
    with vendor.serving() as account:
        assert pulled(books, account)["usage"].error is None
        assert pico_text(total(books).stated) == "15"
        later = NOON + 40 * DAY
        with pytest.raises(InvalidInput, match="30"):
            pulled(books, account, Wish(since=TODAY), later)
        done = pulled(books, account, at=later)["usage"]
        assert (done.window.since, done.window.lost_since) == (TODAY + 10 * DAY, TODAY)
        assert pulled(books, account, at=later)["usage"].window == (TODAY + 37 * DAY, TODAY + 40 * DAY, None)


# --- days -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "through", "since", "until"),
    [
        (Wish(), None, TODAY - 30 * DAY, TODAY),
        (Wish(), TODAY - DAY, TODAY - 8 * DAY, TODAY),
        (Wish(), TODAY - 90 * DAY, TODAY - 97 * DAY, TODAY),
        (Wish(since=TODAY - 200 * DAY), TODAY, TODAY - 200 * DAY, TODAY),
        (Wish(since=TODAY - 9 * DAY, until=TODAY - 8 * DAY), None, TODAY - 9 * DAY, TODAY - 8 * DAY),
    ],
)
def test_a_window_begins_with_what_may_still_change(
    wish: Wish, through: datetime | None, since: datetime, until: datetime
) -> None:
    """However long nothing was pulled; it ends with the last day that is over."""
    account = Account(vendor=VENDORS["openai"], url="", key="")
    assert window_of(account, wish, through, NOON) == (since, until, None)


@pytest.mark.parametrize("wish", [Wish(until=TODAY + DAY), Wish(until=NOON), Wish(since=NOON), Wish(since=TODAY)])
def test_only_whole_days_that_are_over_are_pulled(wish: Wish) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidInput):
        window_of(Account(vendor=VENDORS["openai"], url="", key=""), wish, None, NOON)


def test_days_behind_a_hole_are_not_counted_on(books: Store) -> None:
    """A person who pulls later days leaves the next pull to begin where everything is known."""
    vendor = vendors.openai()
    with vendor.serving() as account:
        pulled(books, account, at=NOON - 20 * DAY)
        pulled(books, account, Wish(since=TODAY - 3 * DAY))
        assert pulled(books, account)["usage"].window.since == TODAY - 27 * DAY
        assert pulled(books, account)["usage"].window.since == TODAY - 7 * DAY
