"""No change without its trace: while the audit trail cannot be written, no write of any route changes anything."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.access import ROLES
from planner.app import build
from planner.flows.setup import install
from planner.settings import Settings
from planner.store import keys, terms
from planner.store import tables as t
from planner.store.engine import Store
from tests import make
from tests.api import finance_writes
from tests.api.test_policies import ADMIN, PEPPER, WHY, open_client
from tests.conftest import NOW
from tests.loopback import Feed, listing

pytestmark = pytest.mark.usefixtures("quick_hashes")

TODAY = datetime.now(UTC)  # noqa: TID251  # the server's clock is the real one
KEY = {"Authorization": f"Bearer {ADMIN}"}
HOOK = "http://127.0.0.1:9/hook"
PASSWORD = "correct horse battery"
MESSAGE = "no audit today"
RATES = [{"unit": unit, "usd": "0.4", "per": 1_000_000} for unit in ("input_token", "output_token")]
STAMPS = {
    "source_url": "https://acme.example/privacy", "verified_at": (TODAY - timedelta(days=1)).isoformat(),
    "expires_at": (TODAY + timedelta(days=300)).isoformat(), "confidence": "derived",
}  # fmt: skip
EVIDENCE = {"trains_on_prompts": True, **STAMPS, **WHY}
USAGE = {"usage": {"input_tokens": 1}}
PAIR = {"add": [{"model": "*", "offer": "self-hosted:*"}], **WHY}


class Call(NamedTuple):
    """A request that works, and the tables it writes beside the change itself, each with why."""

    path: str
    body: Any = None
    query: dict[str, str] | None = None
    text: str | None = None
    headers: dict[str, str] = KEY
    beside: frozenset[str] = frozenset()


class Made(NamedTuple):
    """What there is to change."""

    holds: list[int]
    fees: list[int]
    contracts: list[int]
    webhooks: list[int]
    delivery: int
    proposals: list[int]
    keys: list[str]
    ada: dict[str, str]
    fay: dict[str, str]


# Questions: they are sent as POST, and write nothing at all.
QUESTIONS: dict[tuple[str, str], Call] = {
    ("POST", "/v1/recommendations"): Call("/v1/recommendations", {"workload": {"input_tokens": 1}}),
    ("POST", "/v1/explanations"): Call(
        "/v1/explanations", {"offer": "self-hosted:gpus/a", "workload": {"input_tokens": 1}}
    ),
    ("POST", "/v1/costs"): Call("/v1/costs", {"offer": "self-hosted:gpus/a", **USAGE}),
    ("POST", "/v1/costs/rank"): Call("/v1/costs/rank", USAGE),
    ("POST", "/v1/frontier"): Call("/v1/frontier", {"workload": {"input_tokens": 1}}),
    ("POST", "/v1/mixtures"): Call("/v1/mixtures", {"workload": {"input_tokens": 1}}),
    ("POST", "/v1/paths"): Call("/v1/paths", {"workload": {"input_tokens": 1}}),
    ("POST", "/v1/portfolios"): Call("/v1/portfolios", {"overrides": {"pro": {"subscribers": 1}}, "explain": False}),
    ("POST", "/v1/what-if"): Call("/v1/what-if", {"from": "2026-11-01", "to": "2026-12-01", "scenario": {}}),
    ("POST", "/v1/self-host"): Call(
        "/v1/self-host",
        {
            "workload": {"input_tokens": 1},
            "hardware": {"gpu_hourly_usd": "2", "tokens_per_second": "9"},
            "demand": {"customers": 1},
        },
    ),
    ("POST", "/v1/plans/{plan}/simulations"): Call(
        "/v1/plans/pro/simulations",
        {"task": "chat", "distribution": {"kind": "observed", "tokens_per_user": [9]}, "subscribers": 1},
    ),
    ("POST", "/v1/policies/{name}/preview"): Call("/v1/policies/no-training/preview", {"rules": {"require_zdr": True}}),
    ("POST", "/v1/plans/{plan}/price"): Call("/v1/plans/pro/price", {}),
    ("POST", "/v1/plans/{plan}/trim"): Call("/v1/plans/pro/trim", {"task": "chat"}),
}


# What a backend's meter says is no decision of a person, and leaves no entry.
METERED = {("POST", "/v1/customers/{id}/spend")} | finance_writes.TOLD


def writes(made: Made) -> dict[tuple[str, str], Call]:
    """Return a working request for every route that writes."""
    holds, fees, contracts, hooks = made.holds, made.fees, made.contracts, made.webhooks
    csv = ",".join(["subject_kind", "subject", "trains_on_prompts", *STAMPS])
    file = f"{csv}\n{','.join(['provider', 'openai', 'yes', *STAMPS.values()])}\n"
    toml = '[[policy]]\nname = "filed"\ntitle = "t"\n[policy.rules]\ndeny_training = true\n'
    correction = {
        "valid_from": "2026-10-01T00:00:00Z", "valid_to": "2026-11-01T00:00:00Z", "rates": RATES, "source_url": "u",
        **WHY,
    }  # fmt: skip
    posts = {
        "/v1/holds/{id}/approve": Call(f"/v1/holds/{holds[0]}/approve", WHY),
        "/v1/holds/{id}/reject": Call(f"/v1/holds/{holds[1]}/reject", WHY),
        "/v1/holds/{id}/reopen": Call(f"/v1/holds/{holds[2]}/reopen", WHY),
        "/v1/providers/words": Call(
            "/v1/providers/words",
            {"words": [{"feed": "litellm", "word": "deep-infra-2", "provider": "deepinfra"}], **WHY},
        ),
        "/v1/aliases": Call(
            "/v1/aliases",
            {"aliases": [{"namespace": "deepinfra", "spelling": "a/b-1", "model": "openai/gpt-5"}], **WHY},
        ),
        "/v1/offers": Call("/v1/offers", _offer("new", "0.4")),
        "/v1/offers/corrections": Call("/v1/offers/corrections", correction, {"id": "self-hosted:gpus/a"}),
        "/v1/sources/{name}/refresh": Call("/v1/sources/models_dev/refresh"),
        "/v1/fees": Call("/v1/fees", _fee("markup", "own_key")),
        "/v1/fees/payments": Call("/v1/fees/payments", {"channel": "openrouter", "payment": "credit", **WHY}),
        "/v1/fees/{id}/end": Call(f"/v1/fees/{fees[0]}/end", WHY),
        "/v1/fees/{id}/void": Call(f"/v1/fees/{fees[1]}/void", WHY),
        "/v1/contracts": Call("/v1/contracts", _contract("openai")),
        "/v1/contracts/{id}/end": Call(f"/v1/contracts/{contracts[0]}/end", WHY),
        "/v1/contracts/{id}/void": Call(f"/v1/contracts/{contracts[1]}/void", WHY),
        "/v1/fx": Call(
            "/v1/fx", {"currency": "EUR", "day": "2026-11-23", "usd": "1.1", "source": "s", "source_url": "u", **WHY}
        ),
        "/v1/policies/import": Call("/v1/policies/import", query={"reason": "r"}, text=toml),
        "/v1/policies/{name}/discard": Call("/v1/policies/dropped/discard", WHY),
        "/v1/policies/{name}/publish": Call("/v1/policies/drafted/publish", WHY),
        "/v1/policies/{name}/rollback": Call("/v1/policies/twice/rollback", {"version": 1, **WHY}),
        "/v1/policies/{name}/allow-list": Call("/v1/policies/no-training/allow-list", PAIR),
        "/v1/terms/import": Call("/v1/terms/import", query={"reason": "r"}, text=file),
        "/v1/terms/{id:path}/end": Call("/v1/terms/feed:2/end", WHY),
        "/v1/terms/{id:path}/accept": Call("/v1/terms/feed:1/accept", {"expires_at": STAMPS["expires_at"], **WHY}),
        "/v1/providers/{id}/terms": Call("/v1/providers/deepinfra/terms", EVIDENCE),
        "/v1/channels/{id}/terms": Call("/v1/channels/openrouter/terms", {"broker_may_train": True, **STAMPS, **WHY}),
        "/v1/offers/{id:path}/terms": Call("/v1/offers/self-hosted:gpus/a/terms", EVIDENCE),
        "/v1/plans/{plan}/remove": Call("/v1/plans/starter/remove", WHY),
        "/v1/plans/{plan}/tasks/{task}/remove": Call("/v1/plans/pro/tasks/extract/remove", WHY),
        "/v1/plans/{plan}/policies": Call("/v1/plans/pro/policies", {"policies": ["zero-retention"], **WHY}),
        "/v1/plans/{plan}/tasks/{task}/policies": Call(
            "/v1/plans/pro/tasks/chat/policies", {"policies": ["zero-retention"], **WHY}
        ),
        "/v1/proposals/{id}/approve": Call(f"/v1/proposals/{made.proposals[0]}/approve", WHY),
        "/v1/proposals/{id}/reject": Call(f"/v1/proposals/{made.proposals[1]}/reject", WHY),
        "/v1/alerts/deliveries/{id}/retry": Call(f"/v1/alerts/deliveries/{made.delivery}/retry", WHY),
        "/v1/webhooks": Call("/v1/webhooks", {"url": HOOK, **WHY}),
        "/v1/webhooks/{id}/disable": Call(f"/v1/webhooks/{hooks[0]}/disable", WHY),
        "/v1/webhooks/{id}/enable": Call(f"/v1/webhooks/{hooks[1]}/enable"),
        # A try is counted before the password is looked at: who guesses must not gain from a database that refuses.
        "/v1/sessions": Call(
            "/v1/sessions", {"login": "ada", "password": PASSWORD}, headers={}, beside=frozenset({"attempts"})
        ),
        "/v1/sessions/current/password": Call(
            "/v1/sessions/current/password",
            {"password": PASSWORD, "new_password": PASSWORD + "3"},
            headers=made.fay,
            beside=frozenset({"attempts"}),
        ),
        "/v1/keys": Call("/v1/keys", _key("made")),
        "/v1/keys/{prefix}/rotate": Call(f"/v1/keys/{made.keys[0]}/rotate", WHY),
        "/v1/keys/{prefix}/revoke": Call(f"/v1/keys/{made.keys[1]}/revoke", WHY),
        "/v1/keys/{prefix}/policies": Call(f"/v1/keys/{made.keys[2]}/policies", {"policies": ["any-terms"], **WHY}),
        "/v1/people": Call("/v1/people", _person("zoe")),
        "/v1/people/{login}/disable": Call("/v1/people/bob/disable", WHY),
        "/v1/people/{login}/enable": Call("/v1/people/cy/enable", WHY),
        "/v1/people/{login}/role": Call("/v1/people/dee/role", {"role": "admin", **WHY}),
        "/v1/people/{login}/password": Call("/v1/people/eve/password", {"password": PASSWORD + "2", **WHY}),
    }
    return {
        **{("POST", path): call for path, call in posts.items()},
        **{route: Call(path, body) for route, (path, body) in finance_writes.CALLS.items()},
        ("PUT", "/v1/policies/{name}/draft"): Call("/v1/policies/fresh/draft", _policy({"deny_training": True})),
        ("PUT", "/v1/plans/{plan}"): Call("/v1/plans/fresh", {"name": "Fresh", "price_usd": "5.00", **WHY}),
        ("PUT", "/v1/plans/{plan}/tasks/{task}"): Call(
            "/v1/plans/pro/tasks/draft", {"workload": {"input_tokens": 10, "output_tokens": 5}, **WHY}
        ),
        ("DELETE", "/v1/sessions/current"): Call("/v1/sessions/current", headers=made.ada),
    }


def test_without_its_entry_there_is_no_change(store: Store) -> None:
    """Every write of every role: refused as unavailable, in no word of the database's, and every row is as it was.

    Then the trail can be written again: the same requests work, and each leaves entries that say what and why.
    """
    with served(store) as (client, made):
        calls = writes(made)
        assert set(calls) | set(QUESTIONS) | METERED == {route for route in ROLES if route[0] != "GET"}
        _refuse(store)
        for route, call in {**calls, **QUESTIONS}.items():
            before = _without(_state(store), call.beside)
            answer = _send(client, route[0], call)
            if route in calls:
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), (route, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
            else:
                assert answer.status_code in (200, 409), (route, answer.text)
            assert not {word for word in (MESSAGE, "audit", "INSERT", "trigger") if word in answer.text}, route
            assert _without(_state(store), call.beside) == before, route
        _allow(store)
        for route, call in calls.items():
            last = _last(store)
            answer = _send(client, route[0], call)
            assert answer.status_code in (200, 201, 204), (route, answer.text)
            told = _since(store, last)
            assert told, route
            for entry in told:
                assert entry.before is not None or entry.after is not None, entry
                assert entry.reason, entry
                assert PASSWORD not in str(entry), entry


@contextmanager
def served(store: Store) -> Iterator[tuple[TestClient, Made]]:
    """Serve a small catalogue with something of everything to change."""
    install(store, NOW, bundle=False)
    feed = Feed()
    feed.body = listing()
    with feed.serving() as url:
        settings = Settings(
            admin_key=SecretStr(ADMIN), key_pepper=SecretStr(PEPPER), webhook_hosts="127.0.0.1:9",
            sources="models_dev", models_dev_url=url,
        )  # fmt: skip
        with TestClient(build(settings, store), raise_server_exceptions=False) as client:
            yield client, _prepare(client, store)


def _prepare(client: TestClient, store: Store) -> Made:
    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(path, json=body, headers=KEY)
        assert answer.status_code in (200, 201), (path, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    holds = []
    for name in "abc":
        post("/v1/offers", _offer(name, "0.4"))
        holds.append(post("/v1/offers", _offer(name, "0.1"))["hold"])
    post(f"/v1/holds/{holds[2]}/reject", WHY)
    fees = [
        post("/v1/fees", _fee("markup", "credit"))["id"],
        post("/v1/fees", _fee("added_to_top_up", "own_key"))["id"],
    ]
    contracts = [post("/v1/contracts", _contract(provider))["id"] for provider in ("anthropic", "groq")]
    hooks = [post("/v1/webhooks", {"url": HOOK})["id"] for _ in range(2)]
    post(f"/v1/webhooks/{hooks[1]}/disable", WHY)
    for name, rules in (("twice", {}), ("twice", {"deny_training": True}), ("drafted", {}), ("dropped", {})):
        assert client.put(f"/v1/policies/{name}/draft", json=_policy(rules), headers=KEY).status_code == 200
        if name == "twice":
            post("/v1/policies/twice/publish", WHY)
    made = [post("/v1/keys", _key(name))["prefix"] for name in ("rotated", "revoked", "granted")]
    for login in ("ada", "bob", "cy", "dee", "eve", "fay"):
        post("/v1/people", _person(login))
    post("/v1/people/cy/disable", WHY)
    finance_writes.prepare(client, store, KEY)
    ada, fay = (_signed_in(client, login) for login in ("ada", "fay"))
    return Made(holds, fees, contracts, hooks, _rows(store), _proposals(store), made, ada, fay)


def _signed_in(client: TestClient, login: str) -> dict[str, str]:
    client.post("/v1/sessions", json={"login": login, "password": PASSWORD})
    token = client.cookies["planner"]
    client.cookies.clear()
    return {"Cookie": f"planner={token}", "Sec-Fetch-Site": "same-origin"}


def _rows(store: Store) -> int:
    """Write what no route enters: words of a feed, and a message that is dead."""
    said = [
        make.terms(name, id=f"feed:{number}", source="openrouter_all_providers", curated=False, trains_on_prompts=False)
        for number, name in ((1, "groq"), (2, "openai"))
    ]
    dead = {
        "target": "log", "kind": "price_rise", "alerts": "[]", "state": "dead", "attempts": 8, "created_at": NOW,
        "next_attempt_at": NOW,
    }  # fmt: skip
    with store.write() as connection:
        terms.insert(connection, said, NOW)
        done = connection.execute(sa.insert(t.deliveries).values(dead)).inserted_primary_key
    assert done is not None
    return int(done[0])


def _proposals(store: Store) -> list[int]:
    """Let a second person propose what another one may approve."""
    second = store.tell(
        lambda connection: keys.create(
            connection, PEPPER.encode(), name="second", role="admin", policies=None, expires_at=None, actor="t", at=NOW
        )
    )
    found = []
    with open_client(store, second, two_people=True) as client:
        for name in ("approved", "rejected"):
            answers = []
            for rules in ({"deny_training": True}, {}):
                assert client.put(f"/v1/policies/{name}/draft", json=_policy(rules)).status_code == 200
                answers.append(client.post(f"/v1/policies/{name}/publish", json=WHY).json())
            found.append(answers[-1]["proposal"])
    return found


def _policy(rules: dict[str, Any]) -> dict[str, Any]:
    return {"title": "t", "rules": rules, **WHY}


def _offer(name: str, usd: str) -> dict[str, Any]:
    rates = [{**rate, "usd": usd} for rate in RATES]
    return {"provider": "gpus", "model_spelling": name, "rates": rates, "source_url": "https://w.test", **WHY}


def _fee(basis: str, payment: str) -> dict[str, Any]:
    return {
        "channel": "openrouter", "percent": "5", "basis": basis, "payment": payment,
        "valid_from": "2026-01-01T00:00:00Z", "source_url": "https://w.test", **WHY,
    }  # fmt: skip


def _contract(provider: str) -> dict[str, Any]:
    return {
        "name": "frame", "provider": provider, "discount_percent": "10", "valid_from": "2026-01-01T00:00:00Z",
        "reference": "17", **WHY,
    }  # fmt: skip


def _key(name: str) -> dict[str, Any]:
    return {"name": name, "role": "backend", **WHY}


def _person(login: str) -> dict[str, Any]:
    return {"login": login, "name": login, "role": "finance", "password": PASSWORD, **WHY}


def _send(client: TestClient, method: str, call: Call) -> Any:
    content = {"content": call.text} if call.text is not None else {} if call.body is None else {"json": call.body}
    answer = client.request(method, call.path, params=call.query, headers=call.headers, **content)
    client.cookies.clear()
    return answer


def _refuse(store: Store) -> None:
    """Let the database refuse entries of the trail."""
    with store.write() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql(
                f"CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
            return
        connection.exec_driver_sql(
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()"
        )


def _allow(store: Store) -> None:
    with store.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER refuse" + ("" if store.is_sqlite else " ON audit"))


def _state(store: Store) -> dict[str, str]:
    """Return a digest of every row of every table."""
    with store.read() as connection:
        return {
            table.name: hashlib.sha256(
                "\n".join(sorted(repr(tuple(row)) for row in connection.execute(sa.select(table)))).encode()
            ).hexdigest()
            for table in t.metadata.tables.values()
        }


def _without(state: dict[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: digest for name, digest in state.items() if name not in names}


def _last(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(sa.select(sa.func.max(t.audit.c.seq))).scalar_one())


def _since(store: Store, last: int) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(sa.select(t.audit).where(t.audit.c.seq > last)))
