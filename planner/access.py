"""Who may do what: one table of path, method and roles; what is not in it is refused."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from planner.core.errors import Forbidden, PolicyNotGranted, Unauthenticated
from planner.store.keys import KeyRing

BEARER = "bearer "


class Role(StrEnum):
    """The three people of planner."""

    BACKEND = "backend"
    FINANCE = "finance"
    ADMIN = "admin"


_ALL = frozenset(Role)
_OPEN: frozenset[Role] | None = None
_MONEY = frozenset({Role.FINANCE, Role.ADMIN})
_ADMIN = frozenset({Role.ADMIN})

# None is open to everybody. A route that is missing here cannot be registered.
ROLES: dict[tuple[str, str], frozenset[Role] | None] = {
    ("GET", "/live"): _OPEN,
    ("GET", "/ready"): _OPEN,
    ("GET", "/openapi.json"): _ALL,
    ("POST", "/v1/recommendations"): _ALL,
    ("POST", "/v1/explanations"): _ALL,
    ("POST", "/v1/costs"): _ALL,
    ("POST", "/v1/costs/rank"): _ALL,
    ("POST", "/v1/paths"): _ALL,
    ("POST", "/v1/frontier"): _ALL,
    ("POST", "/v1/mixtures"): _ALL,
    ("POST", "/v1/portfolios"): _MONEY,
    ("GET", "/v1/plans/{plan}/tasks/{task}/recommendation"): _ALL,
    ("GET", "/v1/plans/{plan}/tasks/{task}/recommendation/gateway"): _ALL,
    ("GET", "/v1/models"): _ALL,
    ("GET", "/v1/models/{id:path}"): _ALL,
    ("GET", "/v1/providers"): _ALL,
    ("GET", "/v1/providers/{id}"): _ALL,
    ("GET", "/v1/offers"): _ALL,
    ("GET", "/v1/offers/measurements"): _ALL,
    ("GET", "/v1/offers/prices"): _ALL,
    ("GET", "/v1/offers/terms"): _ALL,
    ("GET", "/v1/offers/{id:path}/measurements"): _ALL,
    ("GET", "/v1/offers/{id:path}/prices"): _ALL,
    ("GET", "/v1/offers/{id:path}/terms"): _ALL,
    ("GET", "/v1/offers/{id:path}"): _ALL,
    ("GET", "/v1/price-changes"): _ALL,
    ("GET", "/v1/tiers"): _ALL,
    ("GET", "/v1/status"): _ALL,
    ("GET", "/v1/holds"): _MONEY,
    ("GET", "/v1/holds/{id}"): _MONEY,
    ("POST", "/v1/holds/{id}/approve"): _ADMIN,
    ("POST", "/v1/holds/{id}/reject"): _ADMIN,
    ("POST", "/v1/holds/{id}/reopen"): _ADMIN,
    ("GET", "/v1/providers/words"): _MONEY,
    ("POST", "/v1/providers/words"): _ADMIN,
    ("GET", "/v1/aliases"): _MONEY,
    ("POST", "/v1/aliases"): _ADMIN,
    ("POST", "/v1/offers"): _ADMIN,
    ("POST", "/v1/offers/corrections"): _ADMIN,
    ("GET", "/v1/sources"): _MONEY,
    ("GET", "/v1/refreshes"): _MONEY,
    ("POST", "/v1/sources/{name}/refresh"): _ADMIN,
    ("GET", "/v1/fees"): _MONEY,
    ("POST", "/v1/fees"): _ADMIN,
    ("POST", "/v1/fees/payments"): _ADMIN,
    ("POST", "/v1/fees/{id}/end"): _ADMIN,
    ("POST", "/v1/fees/{id}/void"): _ADMIN,
    ("GET", "/v1/contracts"): _MONEY,
    ("POST", "/v1/contracts"): _ADMIN,
    ("GET", "/v1/contracts/commitments"): _MONEY,
    ("POST", "/v1/contracts/commitments"): _ADMIN,
    ("POST", "/v1/contracts/commitments/{id}/void"): _ADMIN,
    ("POST", "/v1/contracts/{id}/end"): _ADMIN,
    ("POST", "/v1/contracts/{id}/void"): _ADMIN,
    ("GET", "/v1/fx"): _MONEY,
    ("POST", "/v1/fx"): _ADMIN,
    ("GET", "/v1/policies"): _MONEY,
    ("GET", "/v1/policies/export"): _ADMIN,
    ("POST", "/v1/policies/import"): _ADMIN,
    ("GET", "/v1/policies/{name}"): _MONEY,
    ("GET", "/v1/policies/{name}/versions"): _MONEY,
    ("GET", "/v1/policies/{name}/draft"): _ADMIN,
    ("PUT", "/v1/policies/{name}/draft"): _ADMIN,
    ("POST", "/v1/policies/{name}/discard"): _ADMIN,
    ("POST", "/v1/policies/{name}/publish"): _ADMIN,
    ("POST", "/v1/policies/{name}/rollback"): _ADMIN,
    ("POST", "/v1/policies/{name}/preview"): _ADMIN,
    ("GET", "/v1/policies/{name}/price"): _MONEY,
    ("GET", "/v1/policies/{name}/allow-list"): _MONEY,
    ("POST", "/v1/policies/{name}/allow-list"): _ADMIN,
    ("GET", "/v1/terms"): _MONEY,
    ("GET", "/v1/terms/queue"): _MONEY,
    ("GET", "/v1/terms/export"): _ADMIN,
    ("POST", "/v1/terms/import"): _ADMIN,
    ("POST", "/v1/terms/{id:path}/end"): _ADMIN,
    ("POST", "/v1/terms/{id:path}/accept"): _ADMIN,
    ("POST", "/v1/providers/{id}/terms"): _ADMIN,
    ("POST", "/v1/channels/{id}/terms"): _ADMIN,
    ("POST", "/v1/offers/{id:path}/terms"): _ADMIN,
    ("GET", "/v1/plans"): _MONEY,
    ("POST", "/v1/plans/{plan}/simulations"): _MONEY,
    ("GET", "/v1/plans/{plan}/usage-distribution"): _MONEY,
    ("POST", "/v1/self-host"): _MONEY,
    ("POST", "/v1/what-if"): _MONEY,
    ("GET", "/v1/tasks"): _MONEY,
    ("GET", "/v1/plans/{plan}"): _MONEY,
    ("PUT", "/v1/plans/{plan}"): _MONEY,
    ("GET", "/v1/plans/{plan}/versions"): _MONEY,
    ("POST", "/v1/plans/{plan}/remove"): _MONEY,
    ("PUT", "/v1/plans/{plan}/tasks/{task}"): _MONEY,
    ("POST", "/v1/plans/{plan}/tasks/{task}/remove"): _MONEY,
    ("POST", "/v1/usage"): _ALL,
    ("POST", "/v1/otlp/v1/traces"): _ALL,
    ("POST", "/v1/usage/{source}/{id:path}/void"): _MONEY,
    ("POST", "/v1/imports"): _MONEY,
    ("GET", "/v1/imports"): _MONEY,
    ("POST", "/v1/imports/{id}/rerate"): _MONEY,
    ("GET", "/v1/pulls"): _MONEY,
    ("POST", "/v1/revenue"): _MONEY,
    ("POST", "/v1/invoices"): _MONEY,
    ("GET", "/v1/streams"): _MONEY,
    ("PUT", "/v1/streams/{source}"): _MONEY,
    ("GET", "/v1/ledger/lines"): _MONEY,
    ("GET", "/v1/periods"): _MONEY,
    ("POST", "/v1/periods/{id}/close"): _MONEY,
    ("POST", "/v1/periods/{id}/reopen"): _MONEY,
    ("GET", "/v1/reports/margin"): _MONEY,
    ("GET", "/v1/reports/costs"): _MONEY,
    ("GET", "/v1/reports/focus"): _MONEY,
    ("GET", "/v1/reports/forecast"): _MONEY,
    ("GET", "/v1/reports/reconciliation"): _MONEY,
    ("GET", "/v1/budgets"): _MONEY,
    ("GET", "/v1/budgets/{plan}"): _MONEY,
    ("PUT", "/v1/budgets/{plan}"): _MONEY,
    ("DELETE", "/v1/budgets/{plan}"): _MONEY,
    ("GET", "/v1/price-plans"): _MONEY,
    ("POST", "/v1/price-plans"): _MONEY,
    ("GET", "/v1/customers"): _MONEY,
    ("GET", "/v1/customers/unmapped"): _MONEY,
    ("GET", "/v1/customers/{id}"): _MONEY,
    ("PUT", "/v1/customers/{id}"): _MONEY,
    ("POST", "/v1/customers/{id}/plans"): _MONEY,
    ("POST", "/v1/customers/{id}/spend"): _ALL,
    ("GET", "/v1/customers/{id}/headroom"): _ALL,
    ("GET", "/v1/plans/{plan}/tiers"): _MONEY,
    ("POST", "/v1/plans/{plan}/price"): _MONEY,
    ("POST", "/v1/plans/{plan}/trim"): _MONEY,
    ("POST", "/v1/plans/{plan}/policies"): _ADMIN,
    ("POST", "/v1/plans/{plan}/tasks/{task}/policies"): _ADMIN,
    ("GET", "/v1/proposals"): _ADMIN,
    ("GET", "/v1/proposals/{id}"): _ADMIN,
    ("POST", "/v1/proposals/{id}/approve"): _ADMIN,
    ("POST", "/v1/proposals/{id}/reject"): _ADMIN,
    ("GET", "/v1/audit"): _ADMIN,
    ("GET", "/v1/audit/verify"): _ADMIN,
    ("GET", "/v1/audit/export"): _ADMIN,
    ("GET", "/v1/alerts"): _MONEY,
    ("GET", "/v1/alerts/deliveries"): _MONEY,
    ("POST", "/v1/alerts/deliveries/{id}/retry"): _ADMIN,
    ("GET", "/v1/webhooks"): _ADMIN,
    ("POST", "/v1/webhooks"): _ADMIN,
    ("POST", "/v1/webhooks/{id}/disable"): _ADMIN,
    ("POST", "/v1/webhooks/{id}/enable"): _ADMIN,
    ("POST", "/v1/sessions"): _OPEN,
    ("GET", "/v1/sessions/current"): _ALL,
    ("DELETE", "/v1/sessions/current"): _ALL,
    ("POST", "/v1/sessions/current/password"): _ALL,
    ("GET", "/v1/sessions/oidc"): _OPEN,
    ("GET", "/v1/sessions/oidc/callback"): _OPEN,
    ("GET", "/v1/people"): _ADMIN,
    ("POST", "/v1/people"): _ADMIN,
    ("POST", "/v1/people/{login}/disable"): _ADMIN,
    ("POST", "/v1/people/{login}/enable"): _ADMIN,
    ("POST", "/v1/people/{login}/role"): _ADMIN,
    ("POST", "/v1/people/{login}/password"): _ADMIN,
    ("GET", "/v1/keys"): _ADMIN,
    ("POST", "/v1/keys"): _ADMIN,
    ("POST", "/v1/keys/{prefix}/rotate"): _ADMIN,
    ("POST", "/v1/keys/{prefix}/revoke"): _ADMIN,
    ("POST", "/v1/keys/{prefix}/policies"): _ADMIN,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``policies`` are those a backend may name besides the default; None on other roles: any.

    ``kind`` tells a key from a person who signed in; ``prefix`` is the key's.
    """

    name: str
    role: Role
    policies: frozenset[str] | None
    kind: str = "key"
    prefix: str = ""

    @property
    def actor(self) -> str:
        """Return who asks, as the audit trail writes it."""
        return f"{self.kind}:{self.name}"


def person(login: str, role: str) -> Principal:
    """Return the principal of a person who signed in."""
    reached = Role(role)
    return Principal(login, reached, frozenset() if reached is Role.BACKEND else None, kind="person")


def authenticate(header: str | None, keys: KeyRing, at: datetime) -> Principal:
    """Return who sent an ``Authorization`` header.

    Raises:
        Unauthenticated: no bearer key, or not a valid one. Which part was wrong is not said.
    """
    if header is None or header[: len(BEARER)].lower() != BEARER:
        raise Unauthenticated
    found = keys.find(header[len(BEARER) :].strip(), at)
    if found is None:
        raise Unauthenticated
    role = Role(found.role)
    granted = frozenset(found.policies) if role is Role.BACKEND else None
    return Principal(found.name, role, granted, prefix=found.prefix)


def check_role(principal: Principal, roles: frozenset[Role]) -> None:
    """Refuse a role that does not reach a route.

    Raises:
        Forbidden: names the caller's role, nothing else.
    """
    if principal.role not in roles:
        raise Forbidden(principal.role.value)


def check_policy(principal: Principal, policy: str, default: str) -> None:
    """Refuse a policy the key was not granted; the default policy is everybody's.

    Raises:
        PolicyNotGranted: the key may not name this policy.
    """
    if principal.policies is not None and policy != default and policy not in principal.policies:
        raise PolicyNotGranted(policy)
