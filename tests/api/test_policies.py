"""An admin's work on policies over HTTP: drafts, versions, lists, assignments, files, and the second person."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.settings import Settings
from planner.store import audit, keys
from planner.store.engine import Store
from tests.conftest import NOW

ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
PEPPER = "pepper"
RULES: dict[str, Any] = {"deny_training": True, "minimum_confidence": "broker_claim"}
POLLED = "/v1/plans/pro/tasks/chat/recommendation"
WHY = {"reason": "test"}


def open_client(store: Store, key: str = ADMIN, **settings: Any) -> TestClient:
    """Open the service over a database, as the holder of a key."""
    app = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr(PEPPER), **settings), store)
    return TestClient(app, headers={"Authorization": f"Bearer {key}"}, raise_server_exceptions=False)


@pytest.fixture
def client(installed_copy: Store) -> Iterator[TestClient]:
    """A client with the admin key, over a catalogue it may write."""
    with open_client(installed_copy) as made:
        yield made


def put(client: TestClient, name: str, rules: dict[str, Any], **headers: str) -> Any:
    """Save a draft."""
    body = {"title": "t", "rules": rules, **WHY}
    return client.put(f"/v1/policies/{name}/draft", json=body, headers=headers)


def published(client: TestClient, name: str, rules: dict[str, Any]) -> dict[str, Any]:
    """Save and publish a policy."""
    assert put(client, name, rules).status_code == 200
    answer = client.post(f"/v1/policies/{name}/publish", json=WHY)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_draft_decides_nothing_until_it_is_published(client: TestClient) -> None:
    """The next answer after the publication's 200 rests on it, and names its version."""
    chosen = client.get(POLLED).json()["choice"]
    draft = put(client, "no-training", {**RULES, "deny_providers": [chosen["provider"]]}).json()
    assert (draft["based_on"], draft["changes"]) == (1, ["deny_providers"])
    assert client.get(POLLED).json()["choice"]["offer"] == chosen["offer"]
    assert client.post("/v1/policies/no-training/publish", json=WHY).json()["version"] == 2
    after = client.get(POLLED).json()
    seen = {link["provider"] for link in (after["choice"], *after["fallbacks"])}
    assert chosen["provider"] not in seen
    assert after["policy_version"] == 2
    assert client.get("/v1/policies/no-training/draft").status_code == 404


def test_a_version_never_changes_and_an_older_one_comes_back_as_a_new_one(client: TestClient) -> None:
    """Rolling back publishes what version 1 said as version 3; all three stay on record."""
    published(client, "no-training", {**RULES, "require_zdr": True})
    assert client.post("/v1/policies/no-training/rollback", json={"version": 1, **WHY}).json()["version"] == 3
    rows = client.get("/v1/policies/no-training/versions").json()["items"]
    assert [(row["version"], row["rules"].get("require_zdr", False)) for row in rows] == [
        (3, False), (2, True), (1, False),
    ]  # fmt: skip
    assert client.post("/v1/policies/no-training/rollback", json={"version": 9, **WHY}).status_code == 404
    assert client.post("/v1/policies/no-training/rollback", json={"version": 1, **WHY}).json()["code"] == "conflict"


def test_who_edits_an_older_state_is_told(client: TestClient) -> None:
    """Two admins edit one draft: the second gets 412. A price that moves meanwhile is nobody's conflict."""
    put(client, "ours", RULES)
    etag = client.get("/v1/policies/ours/draft").headers["etag"]
    assert put(client, "theirs", RULES).status_code == 200
    first = put(client, "ours", {**RULES, "require_zdr": True}, **{"If-Match": etag})
    assert (first.status_code, first.headers["etag"]) == (200, '"ours.0.2"')
    assert put(client, "ours", RULES, **{"If-Match": etag}).status_code == 412


def test_a_draft_of_an_older_version_is_not_published_over_a_newer(client: TestClient) -> None:
    """What somebody published in between would be lost."""
    put(client, "no-training", {**RULES, "require_zdr": True})
    client.post("/v1/policies/no-training/allow-list", json={"add": [{"model": "*", "offer": "direct:*"}], **WHY})
    # The list's publication threw the draft away; one that is begun anew stands on the newest version.
    assert client.post("/v1/policies/no-training/publish", json=WHY).status_code == 404
    assert put(client, "no-training", RULES).json()["based_on"] == 2


def test_a_policy_is_not_called_what_hides_it(client: TestClient) -> None:
    """Nobody could read a policy at an address that exports all of them."""
    for name in ("export", "import"):
        answer = put(client, name, RULES)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"deny_providers": ["DeepSeek"]}, "rules.deny_providers"),
        ({"deny_models": ["deepseek-v3.2"]}, "rules.deny_models"),
        ({"allow_models": ["no/such"]}, "rules.allow_models"),
        ({"allow_list": [["*", "direct:nobody/none"]]}, "rules.allow_list"),
        ({"allow_list": [["no/such", "*"]]}, "rules.allow_list"),
        ({"allow_list": [["*", "dirrect:*"]]}, "rules.allow_list"),
        ({"all_of": ["no-such-policy"]}, "rules.all_of"),
        ({"all_of": ["mine"]}, "rules.all_of"),
        ({"deny_headquarters": ["China"]}, "rules.deny_headquarters"),
        ({"deny_trainning": True}, "rules"),
    ],
)
def test_a_misspelt_rule_denies_nobody_so_it_is_refused(client: TestClient, rules: dict[str, Any], field: str) -> None:
    """422 with the rule and the name, and nothing is saved."""
    answer = put(client, "mine", rules)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert client.get("/v1/policies/mine/draft").status_code == 404


def test_an_empty_allow_list_allows_nothing(client: TestClient) -> None:
    """Taking the last pair off leaves an empty list, and nobody on it."""
    pair = {"model": "*", "offer": "direct:*"}
    assert client.post("/v1/policies/no-training/allow-list", json={"add": [pair], **WHY}).status_code == 200
    assert client.get(POLLED).json()["choice"]["channel"] == "direct"
    again = client.post("/v1/policies/no-training/allow-list", json={"add": [pair], **WHY})
    assert again.status_code == 422
    client.post("/v1/policies/no-training/allow-list", json={"remove": [pair], **WHY})
    assert client.get("/v1/policies/no-training/allow-list").json()["items"] == []
    assert client.get(POLLED).json()["code"] == "nothing_compliant"
    assert client.post("/v1/policies/no-training/allow-list", json={"remove": [pair], **WHY}).status_code == 422


def test_a_plan_is_decided_under_all_its_policies(client: TestClient) -> None:
    """A second policy narrows the plan, and a task's own narrows that task alone; an upgrade leaves both alone."""
    published(client, "direct-only", {"allow_unknown": True, "allow_list": [["*", "direct:*"]]})
    both = {"policies": ["direct-only", "no-training"], **WHY}
    assert client.post("/v1/plans/pro/policies", json=both).status_code == 200
    answer = client.get(POLLED).json()
    assert (answer["choice"]["channel"], answer["policy"]) == ("direct", "direct-only+no-training")
    assert [part["name"] for part in answer["policies"]] == ["direct-only", "no-training"]
    assert client.post("/v1/plans/pro/policies", json={"policies": [], **WHY}).status_code == 422
    assert client.post("/v1/plans/pro/policies", json={"policies": ["nope"], **WHY}).status_code == 422
    assert client.post("/v1/plans/none/policies", json=both).status_code == 404
    client.post("/v1/plans/pro/policies", json={"policies": ["no-training"], **WHY})
    client.post("/v1/plans/pro/tasks/chat/policies", json={"policies": ["direct-only"], **WHY})
    assert client.get(POLLED).json()["choice"]["channel"] == "direct"
    (pro,) = (plan for plan in client.get("/v1/plans").json()["items"] if plan["plan"] == "pro")
    assert {task["task"]: task["policies"] for task in pro["tasks"]}["chat"] == ["direct-only"]
    client.post("/v1/plans/pro/tasks/chat/policies", json={"policies": [], **WHY})
    assert client.get(POLLED).json()["policy"] == "no-training"


@pytest.mark.parametrize("form", ["toml", "csv"])
def test_an_export_is_taken_in_again_without_a_change(client: TestClient, form: str) -> None:
    """Every rule there is survives the way out and back; one changed word is one draft."""
    rules = {
        "deny_training": True, "max_retention_days": 30, "allow_headquarters": ["DE", "US"], "deny_models": [],
        "deny_data_countries": ["CN"], "require_serving_regions": ["eu"], "require_certifications": ["soc2_t2"],
        "deny_providers": ["deepseek", "openrouter"], "allow_list": [["*", "direct:*"]], "all_of": ["no-training"],
        "minimum_confidence": "verified", "allow_models": [],
    }  # fmt: skip
    published(client, "all-rules", rules)
    text = client.get("/v1/policies/export", params={"format": form}).text
    ask = {"format": form, "reason": "again"}
    told = client.post("/v1/policies/import", params=ask, content=text).json()["policies"]
    assert {line["outcome"] for line in told} == {"unchanged"}
    assert len(told) == 4
    other = client.post("/v1/policies/import", params=ask, content=text.replace("soc2_t2", "c5")).json()["policies"]
    assert [line["name"] for line in other if line["outcome"] == "draft"] == ["all-rules"]
    at_once = {**ask, "publish": "true"}
    more = client.post("/v1/policies/import", params=at_once, content=text.replace("soc2_t2", "c5")).json()["policies"]
    assert [line["version"] for line in more if line["outcome"] == "published"] == [2]


@pytest.mark.parametrize(
    ("form", "text", "place"),
    [
        ("toml", "[[policy]]\nrules = 1\n", "policy 1"), ("csv", "a,b\n", "line 1"),
        ("csv", "policy,rule,value,offer_pattern\na,deny_models,x/y,\n", "policy a: rules.deny_models"),
    ],
)  # fmt: skip
def test_one_mistake_in_a_file_stores_nothing(client: TestClient, form: str, text: str, place: str) -> None:
    """The place is named, and no draft is left behind."""
    answer = client.post("/v1/policies/import", params={"format": form, "reason": "r"}, content=text)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, place)
    assert client.get("/v1/policies").json()["drafts_only"] == []


def test_what_lets_more_through_waits_for_a_second_person(installed_copy: Store) -> None:
    """A narrower version is published at once; a wider one by another admin, on the state it was proposed for."""
    with installed_copy.write() as connection:
        key = keys.create(
            connection, PEPPER.encode(), name="second", role="admin", policies=None, expires_at=None, actor="t", at=NOW
        )
    with open_client(installed_copy, two_people=True) as one, open_client(installed_copy, key) as two:
        assert published(one, "no-training", {**RULES, "require_zdr": True})["version"] == 2
        waits = published(one, "no-training", RULES)
        assert (waits["state"], waits["widens"]) == ("waiting", ["require_zdr"])
        place = f"/v1/proposals/{waits['proposal']}"
        assert one.get("/v1/policies/no-training").json()["version"] == 2
        assert one.post(f"{place}/approve", json=WHY).json()["code"] == "conflict"
        assert two.post(f"{place}/approve", json=WHY).json()["version"] == 3
        assert two.post(f"{place}/approve", json=WHY).json()["code"] == "conflict"
        plan = {"policies": ["any-terms"], **WHY}
        late = one.post("/v1/plans/pro/policies", json=plan).json()
        stale = one.post("/v1/plans/pro/policies", json=plan).json()
        assert late["widens"] == ["no-training"]
        assert one.post(f"/v1/proposals/{stale['proposal']}/reject", json=WHY).json()["state"] == "rejected"
        assert two.post("/v1/plans/pro/policies", json={"policies": ["zero-retention"], **WHY}).status_code == 200
        answer = two.post(f"/v1/proposals/{late['proposal']}/approve", json=WHY)
        assert "changed since" in answer.json()["problem"]
        assert one.get("/v1/proposals").json()["items"] == []
        ended = one.get(f"/v1/proposals/{late['proposal']}").json()
        assert (ended["kind"], ended["state"], ended["decided_by"]) == ("policy.assign", "outdated", "key:second")
    with installed_copy.read() as connection:
        assert audit.verify(connection) is None
