"""Which database ``--db`` means."""

from __future__ import annotations

import pytest

from dflint.app.config import Config
from dflint.app.databases import VARIABLE, database
from dflint.model.errors import InputError

CONFIG = Config(databases={"prod": "service=prod", "stage": "postgresql://stage/app"})


def test_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "service=other")
    assert database("service=one") == "service=one"
    assert database("postgresql://host/name", CONFIG) == "postgresql://host/name"
    assert database("prod", CONFIG) == "service=prod"
    assert database(None, CONFIG) == "service=other"


def test_the_variable_may_hold_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "stage")
    assert database(None, CONFIG) == "postgresql://stage/app"


def test_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InputError, match="no database was named"):
        database(None, CONFIG)
    with pytest.raises(InputError, match="did you mean 'prod'"):
        database("prd", CONFIG)
    with pytest.raises(InputError, match="the configuration names none"):
        database("prod")
