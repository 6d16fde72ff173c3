"""Evidence as people write it by hand: words and small files, each with its refusal."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from planner.core.errors import InvalidInput
from planner.core.terms import Confidence
from planner.core.terms_files import (
    COLUMNS,
    Entry,
    read_csv,
    read_facts_file,
    read_toml,
    read_words,
    write_csv,
    write_toml,
)
from planner.core.terms_form import URLS
from tests import make
from tests.make import NOON


def test_words_are_read_as_cells_are() -> None:
    """Yes and no, numbers, lists and days; an empty value is unknown."""
    words = ["trains_on_prompts=no", "retention_days=30", "certifications=none", "zdr=", "expires_at=2027-01-01"]
    assert read_words(words) == {
        "trains_on_prompts": False, "retention_days": 30, "certifications": [], "zdr": None,
        "expires_at": datetime(2027, 1, 1, tzinfo=UTC),
    }  # fmt: skip


@pytest.mark.parametrize(
    "words", [["zdr"], ["zdr=yes", "zdr=no"], ["zdr=perhaps"], ["retention_days=-1"], ["expires_at=soon"]]
)
def test_a_word_that_cannot_be_read_is_refused(words: list[str]) -> None:
    """No value, a name twice, or a value that does not fit."""
    with pytest.raises(InvalidInput):
        read_words(words)


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ('{"zdr": true, "expires_at": "2027-01-01"}', "json"),
        ("zdr = true\nexpires_at = 2027-01-01T00:00:00Z", "toml"),
    ],
)
def test_a_file_says_what_is_said_of_one_subject(text: str, format_: str) -> None:
    """By the names of the API's body; a day is a moment."""
    assert read_facts_file(text, format_) == {"zdr": True, "expires_at": datetime(2027, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(("text", "format_"), [("[1]", "json"), ("{", "json"), ("= 1", "toml")])
def test_a_file_that_is_no_object_is_refused(text: str, format_: str) -> None:
    """Neither a list nor half a document says anything of a subject."""
    with pytest.raises(InvalidInput):
        read_facts_file(text, format_)


@pytest.mark.parametrize(("write", "read"), [(write_csv, read_csv), (write_toml, read_toml)])
def test_every_fact_comes_back_from_a_file(write: Callable[..., str], read: Callable[[str], list[Entry]]) -> None:
    """As arguments of what a person enters; what nobody knows is not there."""
    row = make.terms(
        "acme", broker_may_train=False, retains_prompts=True, zdr=False, may_publish=False, requires_user_ids=True,
        sends_client_ip=True, moderated=False, human_review_possible=True, us_jurisdiction_exposure=True,
        tee_attested=False, e2ee=False, retention_days=30, retention_purpose="abuse_monitoring", zdr_basis="contract",
        zdr_scope="own_key", headquarters="US", serving_region="us-east-1",
        datacenter_countries=frozenset({"US", "DE"}), certifications=frozenset(), note="a, b\n",
        expires_at=NOON, verified_at=NOON,
        **dict.fromkeys(URLS, "https://acme.example"),
    )  # fmt: skip
    assert all(getattr(row, name) is not None for name in COLUMNS)
    ((_place, kind, subject, said),) = read(write([row]))
    assert (kind, subject) == ("provider", "acme")
    written = {name: getattr(row, name) for name in COLUMNS if name not in ("subject_kind", "subject")}
    written |= {"datacenter_countries": ["DE", "US"], "certifications": [], "confidence": "broker_claim"}
    assert said == written
    ((_place, _kind, _subject, few),) = read(write([make.terms("acme", confidence=Confidence.DERIVED)]))
    assert set(few) == {"trains_on_prompts", "source_url", "verified_at", "confidence"}


HEAD = '[[terms]]\nsubject_kind = "provider"\nsubject = "groq"\n'


@pytest.mark.parametrize(
    ("read", "text", "place"),
    [
        (read_csv, "", "line 1"), (read_csv, "a\n", "line 1"), (read_csv, '"', "file"),
        (read_csv, "subject_kind,subject,subject\n", "line 1"),
        (read_csv, "subject_kind,subject\nprovider\n", "line 2"),
        (read_csv, "subject_kind,subject\nprovider,\n", "line 2"),
        (read_csv, "subject_kind,subject,zdr\nprovider,groq,maybe\n", "line 2: zdr"),
        (read_csv, "subject_kind,subject,retention_days\nprovider,groq,x\n", "line 2: retention_days"),
        (read_csv, "subject_kind,subject,retention_days\nprovider,groq,1234567890\n", "line 2: retention_days"),
        (read_csv, "subject_kind,subject,expires_at\nprovider,groq,x\n", "line 2: expires_at"),
        (read_toml, "[[terms]\n", "file"), (read_toml, "x = 1\n", "file"),
        (read_toml, "[[terms]]\nzdr = true\n", "terms 1"),
        (read_toml, HEAD + 'verified_at = "soon"\n', "terms 1: verified_at"),
        (read_toml, f"{HEAD}{HEAD}expires_at = ''\n", "terms 2: expires_at"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_by_its_place(read: Callable[[str], object], text: str, place: str) -> None:
    """The line or the table, and the column or the key where it is in one."""
    with pytest.raises(InvalidInput) as refused:
        read(text)
    assert refused.value.field == place
