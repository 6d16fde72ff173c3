"""Twenty workers, each behind a link that stalls while an admin revokes: ``python -m tests.sweeps.cuts``.

PostgreSQL only: the embedded database has no link. What each worker may do is the second half of the promise: go on
for the lease of 30 seconds after its last confirmation, then 503 with Retry-After, and the catalogue, marked.
"""

import argparse
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from pydantic import SecretStr
from rich.progress import track
from starlette.testclient import TestClient

from planner.app import build
from planner.flows import policy
from planner.flows.current import LEASE_SECONDS
from planner.flows.second import By
from planner.settings import Settings
from planner.store import policies
from planner.store.engine import Connection, Store, open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server
from tests.revocation import PEPPER, POLICY, QUESTION, SERVED, furnish, new_key, present
from tests.stalling import Link, through

# A request that has begun may wait for a link that is found to stall.
WAIT_SECONDS = 5.0
HEALED_SECONDS_MAX = 30.0


def deny(store: Store, provider: str) -> float:
    """Deny a provider, and return when that was acknowledged."""
    by = By(actor="test", at=present(), reason="test")

    def story(connection: Connection) -> object:
        held = policies.versions(connection, POLICY)[0]
        rules = {**held["rules"], "deny_providers": [provider]}
        return policy.publish(connection, POLICY, {"title": held["title"], "rules": rules}, by)

    store.tell(story)
    return time.monotonic()


def watch(url: str, link: Link, key: str, provider: str, moments: tuple[float, float], done: list[float]) -> list[str]:
    """Cut one worker off at a moment and heal it at another, ask it all the time, and return what was wrong."""
    store = open_store(url)
    settings = Settings(key_pepper=SecretStr(PEPPER), sources="")
    wrong, refused = [], 0
    cut, heal = moments
    with TestClient(
        build(settings, store), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"}
    ) as client:
        while (now := time.monotonic()) < heal + HEALED_SECONDS_MAX:
            if cut <= now < heal:
                link.stalled.set()
            elif now >= heal:
                link.stalled.clear()
            answer = client.post("/v1/recommendations", json=QUESTION)
            if answer.status_code == 503:
                refused += "retry-after" in answer.headers
                marked = client.get("/v1/models").json()["stale"]
                if time.monotonic() < heal and not marked:
                    wrong.append("the catalogue is not marked")
                continue
            body = answer.json()
            links = [body["choice"], *body["fallbacks"]] if answer.status_code == 200 else []
            late = bool(done) and now > done[0] + (LEASE_SECONDS if now < heal + WAIT_SECONDS else 0)
            if answer.status_code not in (200, 409):
                wrong.append(f"{answer.status_code} {answer.text[:100]}")
            elif late and any(one["provider"] == provider for one in links):
                wrong.append(f"{provider} is recommended {now - done[0]:.1f} s after it was denied")
            if now > heal and answer.status_code == 200 and all(one["provider"] != provider for one in links):
                break
            time.sleep(0.05)
        else:
            wrong.append("never well again")
    store.close()
    if not refused:
        wrong.append("never refused")
    return wrong


def run(url: str, workers: int, seed: int) -> int:
    """Cut off so many workers, and return how many did what they may not."""
    upgrade(url)
    store = open_store(url)
    furnish(store)
    key, dice = new_key(store), random.Random(seed)
    provider = next(iter(SERVED))
    begun = time.monotonic()
    # Everybody is well for ten seconds, is cut off during the next five, and is well again after the lease is over.
    moments = [(begun + 10 + 5 * dice.random(), begun + 65 + 5 * dice.random()) for _ in range(workers)]
    done: list[float] = []
    admin = threading.Timer(17, lambda: done.append(deny(store, provider)))
    admin.start()
    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        cuts = [stack.enter_context(through(url)) for _ in moments]
        futures = [
            pool.submit(watch, behind, link, key, provider, moment, done)
            for (link, behind), moment in zip(cuts, moments, strict=True)
        ]
        found = [future.result() for future in track(futures, "workers")]
    store.close()
    for number, wrong in enumerate(found):
        for line in wrong[:3]:
            print(f"  worker {number}: {line}")
    print(f"{workers} workers cut off, {sum(map(bool, found))} did what they may not")
    return sum(map(bool, found))


def main() -> int:
    """Run on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with postgres_server() as server, postgres_database(server) as url:
        return 1 if run(url, options.workers, options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
