"""The answer backends poll for: written once per revision and edge of time, then served from memory."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.responses import Response

from planner.api.shapes import Shape
from planner.flows.answer import Question
from planner.flows.current import View

HELD_MAX = 10_000
# Even an answer without an edge in sight is written anew now and then, so that its dates stay close.
HELD_FOR = timedelta(hours=1)

Answerer = Callable[[View, Question, str, datetime], Shape]


def etag_of(body: bytes) -> str:
    """Return the ETag of an answer: equal bytes have equal tags."""
    return '"' + hashlib.sha256(body).hexdigest()[:32] + '"'


def holds(if_none_match: str | None, etag: str) -> bool:
    """Tell whether a caller says that it holds the answer of this ETag."""
    return if_none_match is not None and etag in (tag.strip() for tag in if_none_match.split(","))


class Written:
    """One written answer, its ETag, and the moment from which it may no longer be served."""

    def __init__(self, body: bytes, until: datetime) -> None:
        """Write both answers, 200 and 304, once."""
        self.until = until
        self._body = body
        self.etag = etag_of(body)
        headers = {"ETag": self.etag, "Cache-Control": "private, no-cache"}
        self._whole = Response(body, 200, headers, "application/json")
        self._same = Response(None, 304, headers)

    def response(self, if_none_match: str | None) -> Response:
        """Answer 200 with the bytes, or 304 where the caller holds them already."""
        return self._same if holds(if_none_match, self.etag) else self._whole

    def beside(self, facts: Shape) -> "Written":
        """Return the same answer with facts about who asks beside it."""
        # The body is one object with something in it; it is not read again to add to it.
        added = json.dumps(facts, separators=(",", ":")).encode()
        return Written(self._body[:-1] + b"," + added[1:], self.until)


class Polled:
    """The written answers of one view. A new view drops them all: nothing revoked is ever served from here."""

    def __init__(self, answerer: Answerer, default_policy: str) -> None:
        """Remember how to answer."""
        self._answerer, self._default_policy = answerer, default_policy
        # View and answers change together, in one assignment: a thread that still answers for an old view
        # can only ever write into the old view's answers.
        self._held: tuple[View | None, dict[tuple[str, str, bool], Written]] = (None, {})

    def kept(self, view: View, plan: str, task: str, now: datetime, *, over_budget: bool = False) -> Written | None:
        """Return the answer held for this view, if its time has not run out."""
        held, answers = self._held
        found = answers.get((plan, task, over_budget)) if view is held else None
        return found if found is not None and now < found.until else None

    def shape(self, view: View, question: Question, now: datetime) -> Shape:
        """Answer, and keep nothing.

        Raises:
            NotFound: no such plan or task.
            NoAnswer: the question has no answer.
        """
        return self._answerer(view, question, self._default_policy, now)

    def answer(self, view: View, plan: str, task: str, now: datetime, *, over_budget: bool = False) -> Written:
        """Answer, write and keep; a customer over budget is answered as everybody over budget is.

        Raises:
            NotFound: no such plan or task.
            NoAnswer: the question has no answer.
        """
        shape = self.shape(view, Question(plan=plan, task=task, over_budget=over_budget), now)
        body = json.dumps(shape, separators=(",", ":")).encode()
        edge = shape["valid_until"]
        until = now + HELD_FOR if edge is None else min(now + HELD_FOR, datetime.fromisoformat(edge))
        made = Written(body, until)
        held, answers = self._held
        if view is not held or len(answers) >= HELD_MAX:
            answers = {}
            self._held = (view, answers)
        answers[plan, task, over_budget] = made
        return made
