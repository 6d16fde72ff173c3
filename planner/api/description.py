"""The description of the contract: what the framework cannot know of it is written in, and who may ask is said."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from planner.access import ROLES

_WRITES = ("post", "put", "delete")
# What `writing.written` reads; whoever writes something that may have changed meanwhile answers 412.
_WRITING = [
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "the ETag of the state this was decided on; 412 where it is not the state any more",
        "schema": {"type": "string"},
    },
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "the same key with the same body again gets the first answer, and nothing happens twice",
        "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,198}[!-~])?$"},
    },
]


def described(app: FastAPI) -> dict[str, Any]:
    """Return the description, made once."""
    made = app.openapi()
    if "securitySchemes" in made.setdefault("components", {}):
        return made
    made["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "a key of planner"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": app.state.site.cookie,
            "description": "the cookie of a person who signed in",
        },
    }
    closed = {
        (method, path.replace(":path", "")): roles for (method, path), roles in ROLES.items() if roles is not None
    }
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            roles = closed.get((method.upper(), path))
            if roles is not None:
                operation["security"] = [{"key": []}, {"session": []}]
                operation["x-roles"] = sorted(roles)
            if method in _WRITES and "412" in operation["responses"]:
                operation.setdefault("parameters", []).extend(_WRITING)
    return made


def answered(app: FastAPI, path: str) -> list[str]:
    """Return the methods that are answered at an address."""
    routes = iter_route_contexts(app.routes)
    return sorted({method for route in routes if route.path_regex.match(path) for method in route.methods or ()})
