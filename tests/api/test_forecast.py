"""The forecast of a month over HTTP: of the running month by the clock of the service, or of one that is over."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store.engine import Store
from tests.api.test_usage import KEY, event, sent

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_running_month_is_forecast(installed_copy: Store) -> None:
    """24 days are booked at $0.01055 each and six and a half are left; what cannot be answered is refused."""
    made = Settings(admin_key=SecretStr(KEY), key_pepper=SecretStr("pepper"))
    service = build(made, installed_copy, lambda: NOON)
    with TestClient(service, headers={"Authorization": f"Bearer {KEY}"}) as client:
        days = [(NOON - timedelta(days=n, hours=1)).isoformat() for n in range(40)]
        sent(client, *(event(str(n), at=at, plan="pro") for n, at in enumerate(days)))
        answer = client.get("/v1/reports/forecast")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        (row,) = found["rows"]
        assert (found["month"], found["as_of"], row["plan"]) == ("2026-11", "2026-11-24T12:00:00Z", "pro")
        assert (row["booked"]["cost_usd"], row["booked"]["tokens"]) == ("0.2532", 24 * 3_050)
        assert row["expected_cost_usd"]["expected"] == "0.321775"
        assert client.get("/v1/reports/forecast", params={"by": ""}).json()["total"] == found["total"]
        over = client.get("/v1/reports/forecast", params={"month": "2026-10", "tz": "Asia/Kolkata"}).json()
        assert (over["over"], over["total"]["expected_cost_usd"]["high_95"]) == (True, "0.1688")
        for query in ({"month": "2026-12"}, {"by": "model"}, {"cost_basis": "guess"}, {"tz": "Mars"}):
            assert client.get("/v1/reports/forecast", params=query).status_code == 422
