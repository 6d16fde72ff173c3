"""Finance over HTTP: files and revenue in, who is who, months closed, and reports out."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_usage import KEY, event, sent

SEPTEMBER = {"from": "2026-09-01", "to": "2026-10-01"}
SPEND_LOGS = (
    "request_id,call_type,spend,total_tokens,prompt_tokens,completion_tokens,startTime,endTime,model,"
    "custom_llm_provider,metadata,cache_hit,end_user,status\n"
    "chatcmpl-1,acompletion,0.0021,1200,1000,200,2026-09-01T10:00:00Z,2026-09-01T10:00:02Z,gpt-4.1,openai,"
    '"{""usage_object"": {""prompt_tokens"": 1000, ""completion_tokens"": 200}}",False,cust_42,success\n'
)
SUBSCRIPTIONS = (
    "id,Customer ID,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start Date (UTC),"
    "Current Period Start (UTC),Current Period End (UTC),Trial Start (UTC),Trial End (UTC),Canceled At (UTC),"
    "Ended At (UTC)\n"
    "sub_1,cus_1,price_pro,1,usd,month,20.00,active,2026-07-01 10:00,2026-07-01 10:00,2026-09-01 10:00,"
    "2026-10-01 10:00,,,,\n"
)


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    with TestClient(build(made, installed_copy), headers={"Authorization": f"Bearer {KEY}"}) as it:
        yield it


def imported(client: TestClient, body: str, **query: Any) -> dict[str, Any]:
    """Import a file."""
    answer = client.post("/v1/imports", content=body.encode(), params=query, headers={"content-type": "text/csv"})
    assert answer.status_code == 200, answer.text
    summary: dict[str, Any] = answer.json()
    return summary


def margin(client: TestClient, **query: Any) -> dict[str, Any]:
    """Ask for September's margins."""
    answer = client.get("/v1/reports/margin", params={**SEPTEMBER, **query})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_file_is_guessed_taken_in_and_known_the_next_time(client: TestClient) -> None:
    """The summary says how it knew, and the second import changes nothing."""
    first = imported(client, SPEND_LOGS)
    assert (first["format"], first["outcomes"], first["rated_usd"]) == ("litellm", {"stored": 1}, "0.0036")
    second = imported(client, SPEND_LOGS)
    assert (second["outcomes"], second["repeats_import"]) == ({"duplicate": 1}, first["import"])
    assert [one["source"] for one in client.get("/v1/imports").json()["items"]] == ["litellm", "litellm"]


def test_a_dry_run_stores_nothing(client: TestClient) -> None:
    """It says what would be done."""
    assert imported(client, SPEND_LOGS, dry_run=True)["rated_usd"] == "0.0036"
    assert client.get("/v1/ledger/lines").json()["items"] == []
    assert client.get("/v1/imports").json()["items"] == []


def test_a_bad_row_stops_the_file_or_is_left_out(client: TestClient) -> None:
    """It is named by its line, and whoever sent the file decides about the others."""
    broken = (
        SPEND_LOGS + SPEND_LOGS.splitlines()[1].replace("chatcmpl-1", "chatcmpl-2").replace("1000,200", "x,200") + "\n"
    )
    for more in ({}, {"dry_run": True}):
        stopped = client.post("/v1/imports", content=broken.encode(), params=more)
        assert (stopped.status_code, stopped.headers["content-type"]) == (422, "application/problem+json")
        problem = stopped.json()
        assert (problem["code"], "skip=true leaves" in problem["detail"], "--skip" in stopped.text) == (
            "invalid", True, False,
        )  # fmt: skip
        assert problem["summary"]["outcomes"] == {}
        (bad,) = problem["summary"]["refused"]
        assert (bad["place"], bool(bad["reason"])) == ("line 3", True)
    assert client.get("/v1/imports").json()["items"] == []
    skipped = imported(client, broken, skip=True)
    assert (skipped["outcomes"], skipped["refused_rows"], skipped["bad_rows"]) == ({"stored": 1}, 1, "skip")


def test_a_file_nobody_knows_is_refused_with_the_formats_there_are(client: TestClient) -> None:
    """Nothing is guessed at."""
    answer = client.post("/v1/imports", content=b"a,b\n1,2\n")
    assert answer.status_code == 422
    assert "litellm" in answer.json()["detail"]


def test_usage_and_revenue_meet_under_a_customer(client: TestClient) -> None:
    """Both ids wait in the queue until somebody says that they are one; the price means a plan."""
    imported(client, SPEND_LOGS)
    imported(client, SUBSCRIPTIONS)
    queue = client.get("/v1/customers/unmapped").json()
    assert [(one["source"], one["id"]) for one in queue["items"]] == [("stripe", "cus_1"), ("litellm", "cust_42")]

    body = {"name": "Acme", "external_ids": [{"source": "stripe", "id": "cus_1"}], "reason": "signed"}
    assert client.put("/v1/customers/cust_42", json=body).status_code == 200
    price = {"source": "stripe", "price": "price_pro", "plan": "pro", "reason": "price list"}
    assert client.post("/v1/price-plans", json=price).status_code == 200
    said = {"plan": "pro", "valid_from": "2026-09-01T00:00:00Z", "reason": "bought it"}
    assert client.post("/v1/customers/cust_42/plans", json=said).status_code == 200

    assert client.get("/v1/customers/unmapped").json()["items"] == []
    (row,) = margin(client, by="customer,plan")["rows"]
    assert (row["customer"], row["plan"], row["revenue_usd"], row["token_cost_usd"]) == (
        "cust_42", "pro", "19.722222222222", "0.0036",
    )  # fmt: skip


def test_revenue_of_a_billing_system_comes_in_item_by_item(client: TestClient) -> None:
    """The same item again is known, another amount under its id is a conflict, a bad one is named."""
    item = {
        "id": "in_1", "source": "billing", "kind": "invoice", "amount": "119.00", "currency": "USD", "tax": "19.00",
        "start": "2026-09-01T00:00:00Z", "end": "2026-10-01T00:00:00Z", "customer": "c1", "plan": "pro",
    }  # fmt: skip
    first = client.post("/v1/revenue", json={"items": [item, {**item, "id": "in_2", "amount": 5}]})
    assert (first.status_code, [one["status"] for one in first.json()["items"]]) == (207, ["stored", "invalid"])
    again = client.post("/v1/revenue", json={"items": [item]})
    assert (again.status_code, again.json()["items"][0]["status"]) == (200, "duplicate")
    assert client.post("/v1/revenue", json={"items": [{**item, "amount": "1"}]}).status_code == 409
    (row,) = margin(client, by="plan")["rows"]
    assert (row["revenue_usd"], row["tax_usd"], row["gross_revenue_usd"], row["tax_unknown_usd"]) == (
        "100", "19", "119", "0",
    )  # fmt: skip


def test_a_closed_month_takes_nothing_more(client: TestClient) -> None:
    """What comes late is booked in the next one; only the last closed month is opened again."""
    sent(client, event(at="2026-09-10T12:00:00Z"))
    before = client.get("/v1/reports/margin", params=SEPTEMBER)
    closed = client.post("/v1/periods/2026-09/close", json={"reason": "done"})
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    sent(client, event("late", at="2026-09-11T12:00:00Z"))
    after = client.get("/v1/reports/margin", params=SEPTEMBER)
    assert {**before.json(), "closed": True} == after.json()
    assert [(one["period"], one["state"]) for one in client.get("/v1/periods").json()["items"]] == [
        ("2026-09", "closed"), ("2026-10", "open"),
    ]  # fmt: skip
    late = client.get("/v1/ledger/lines", params={"deltas": True}).json()["items"]
    assert [(line["kind"], line["booked_in"]) for line in late] == [("late", "2026-10")]
    assert client.post("/v1/periods/2026-09/close", json={"reason": "again"}).status_code == 409
    assert client.post("/v1/periods/2026-09/reopen", json={"reason": "a mistake"}).json()["state"] == "open"


def test_reports_come_in_every_form(client: TestClient) -> None:
    """JSON for programs, CSV and XLSX for people, FOCUS for what reads bills."""
    sent(client, event(at="2026-09-10T12:00:00Z", customer="=1+1"))
    for form, start in (("json", b"{"), ("csv", b"customer,"), ("xlsx", b"PK")):
        answer = client.get("/v1/reports/margin", params={**SEPTEMBER, "by": "customer", "format": form})
        assert (answer.status_code, answer.content[: len(start)]) == (200, start)
    table = client.get("/v1/reports/margin", params={**SEPTEMBER, "by": "customer", "format": "csv"}).text
    assert "\n'=1+1," in table
    focus = client.get("/v1/reports/focus", params=SEPTEMBER)
    assert focus.status_code == 200
    assert "EffectiveCost" in focus.text.splitlines()[0]


def test_costs_are_told_apart_by_kind_of_token(client: TestClient) -> None:
    """Cached tokens beside others."""
    sent(client, event(at="2026-09-10T12:00:00Z"))
    document = client.get("/v1/reports/costs", params={**SEPTEMBER, "by": "model,unit"}).json()
    assert {row["unit"]: row["cost_usd"] for row in document["rows"]} == {
        "cache_read_token": "0.0003", "input_token": "0.0035", "output_token": "0.00675", "request": "0",
    }  # fmt: skip
    assert (document["cost_basis"], document["reporting_currency"]) == ("best", "USD")
    assert (document["total"]["cost_usd"], document["total"]["coverage"]) == ("0.01055", "1.0000")
    table = client.get("/v1/reports/costs", params={**SEPTEMBER, "by": "model", "format": "csv"}).text.splitlines()
    assert table[-1].startswith("total,")
    refused = client.get("/v1/reports/costs", params={**SEPTEMBER, "cost_basis": "guess"})
    assert refused.status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"by": "colour"},
        {"tz": "Mars/Olympus"},
        {"to": "2026-09-01"},
        {"from": "2026-W36"},
        {"cost_basis": "guess"},
        {"x": "1"},
    ],
)
def test_a_question_that_is_none_is_refused(client: TestClient, query: dict[str, str]) -> None:
    """Never answered with something else."""
    assert client.get("/v1/reports/margin", params={**SEPTEMBER, **query}).status_code == 422


def test_amounts_stand_beside_dollars_in_another_currency(client: TestClient) -> None:
    """At the rate of the last day, which somebody entered; without one nothing is converted."""
    sent(client, event(at="2026-09-10T12:00:00Z"))
    assert client.get("/v1/reports/margin", params={**SEPTEMBER, "reporting_currency": "EUR"}).status_code == 404
    rate = {
        "currency": "EUR",
        "day": "2026-09-01",
        "usd": "1.25",
        "source": "ECB",
        "source_url": "https://t.test",
        "reason": "daily",
    }
    assert client.post("/v1/fx", json=rate).status_code in (200, 201)
    document = margin(client, by="plan", reporting_currency="EUR")
    assert document["rows"][0]["reporting"] == {
        "currency": "EUR", "usd_per_unit": "1.25", "revenue": "0", "token_cost": "0.00844", "gross_profit": "-0.00844",
        "contribution": "-0.00844",
    }  # fmt: skip
