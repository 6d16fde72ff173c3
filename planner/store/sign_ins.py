"""Sign-ins that went to an OpenID provider: each is taken once, by the browser that began it."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from planner.store.governing import sign_ins
from planner.store.sessions import digest_of


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a sign-in must come back with: the nonce in the proof, the verifier for the code."""

    nonce: str
    verifier: str


def add(
    connection: sa.Connection, state: str, browser: str, begun: SignIn, *, at: datetime, expires_at: datetime
) -> None:
    """Remember a sign-in that goes out; of state and browser only digests are kept."""
    connection.execute(sa.delete(sign_ins).where(sign_ins.c.expires_at <= at))
    row = {"state": digest_of(state), "browser": digest_of(browser), "nonce": begun.nonce, "verifier": begun.verifier}
    connection.execute(sa.insert(sign_ins).values(**row, expires_at=expires_at))


def take(connection: sa.Connection, state: str, browser: str, *, at: datetime) -> SignIn | None:
    """Take a sign-in that came back, or None where this browser began none under this state, or long ago."""
    s = sign_ins.c
    mine = s.state == digest_of(state), s.browser == digest_of(browser)
    taken = sa.delete(sign_ins).where(*mine).returning(s.nonce, s.verifier, s.expires_at)
    row = connection.execute(taken).first()
    return None if row is None or row.expires_at <= at else SignIn(row.nonce, row.verifier)
