"""An OpenID provider on the loopback, with real keys: honest unless a test tells it what to say."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT = "planner-console"
SECRET = "a client's secret"

Claims = dict[str, Any]


@dataclass
class OpenId:
    """What the provider says next. ``sign`` makes the token of the claims; ``asked`` is what came to it."""

    issuer: str = ""
    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}))
    ec: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "ec", "alg": "ES256"}))
    claims: Claims = field(default_factory=dict)
    sign: Callable[[Claims], Any] | None = None
    challenge: str = ""
    asked: list[tuple[str, dict[str, list[str]], str]] = field(default_factory=list)
    discovery: Claims = field(default_factory=dict)

    def token(self, claims: Claims) -> Any:
        """Return the token a provider hands out."""
        if self.sign is not None:
            return self.sign(claims)
        return jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, self.rsa)

    def answer(self, path: str, form: dict[str, list[str]], header: str) -> tuple[int, Claims]:
        """Answer a request."""
        self.asked.append((path, form, header))
        if path == "/.well-known/openid-configuration":
            urls = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token")}
            return 200, {"issuer": self.issuer, **urls, "jwks_uri": f"{self.issuer}/keys", **self.discovery}
        if path == "/keys":
            return 200, {"keys": [key.as_dict(private=False) for key in (self.rsa, self.ec)]}
        verifier = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if form["code"] != ["good"] or base64.urlsafe_b64encode(verifier).decode().rstrip("=") != self.challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {"token_type": "Bearer", "access_token": "x", "id_token": self.token(self.claims)}


@contextmanager
def openid_provider() -> Iterator[OpenId]:
    """Run a provider."""
    provider = OpenId()

    class Door(BaseHTTPRequestHandler):
        """Its door."""

        def do_GET(self) -> None:
            self._say(*provider.answer(self.path, {}, ""))

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._say(*provider.answer(self.path, parse_qs(sent), self.headers.get("Authorization", "")))

        def _say(self, status: int, document: Claims) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", f"{provider.issuer}/keys")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join()
