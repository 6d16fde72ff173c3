"""A sample of what the description allows, and of what it does not, asked of every operation."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from pydantic import SecretStr
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import NonFatalError, ScenarioFinished
from starlette.testclient import TestClient

from planner.api.description import described
from planner.app import build
from planner.settings import Settings
from planner.store.engine import open_store
from planner.store.migrate import upgrade
from tests.api.test_contract import ADMIN
from tests.revocation import furnish
from tests.sweeps.contract import CONFIG

SAMPLE = """
seed = 1
continue-on-failure = true

[generation]
max-examples = 2
deterministic = true
no-shrink = true
database = "none"

[phases]
coverage.enabled = false
stateful.enabled = false
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application over a small catalogue of its own."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'planner.sqlite3'}"
    upgrade(url)
    store = open_store(url)
    furnish(store)
    made = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper"), sources=""), store)
    with TestClient(made):
        yield made
    store.close()


@pytest.mark.parametrize("key", [ADMIN, None], ids=["admin", "anonymous"])
@pytest.mark.usefixtures("quick_hashes")
def test_no_operation_answers_outside_its_description(app: FastAPI, key: str | None) -> None:
    """No 5xx, no status or content type that is not described, nothing accepted that is described as wrong."""
    config = SchemathesisConfig.from_str(SAMPLE + CONFIG)
    schema = schemathesis.openapi.from_dict(described(app), config=config)
    schema.app = app
    if key is not None:
        schema.config.headers = {"Authorization": f"Bearer {key}"}
    asked, wrong = 0, list[Any]()
    for event in from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            wrong.append((event.label, event.value))
        if isinstance(event, ScenarioFinished):
            asked += len(event.recorder.interactions)
            wrong += [
                (event.label, event.recorder.cases[case].value.as_curl_command(), check.failure_info.failure)
                for case, checks in event.recorder.checks.items()
                for check in checks
                if check.status is Status.FAILURE and check.failure_info is not None
            ]
    assert wrong == []
    assert asked > len(list(schema.get_all_operations()))
