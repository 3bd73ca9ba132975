"""Compares what dflint says of dropping with what PostgreSQL does."""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

import psycopg
from psycopg import sql

from dflint.app.impact import ImpactAnalysis, single_operation
from dflint.model.names import Identity
from tests.analysis.judge.dropping import attempt, statement
from tests.analysis.judge.listing import MEMBER, existing
from tests.analysis.judge.schemas import Grower, clear
from tests.catalog.live import read

#: So many statements make a schema, beside its first tables and types.
STATEMENTS: Final = 50
#: So many objects of each schema are dropped: tables, on which much depends, and others.
_TABLES: Final = 9
_OTHERS: Final = 3
#: What CASCADE says of its own.
_GOES: Final = frozenset({"blocks", "auto_dropped"})


class Judge:
    """Judges one random schema after another in a database of its own.

    Attributes:
        schemas: how many were judged.
        classes: kind of statement -> schemas in which one succeeded.
        dependents: how many dependents each judged target had.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.schemas = 0
        self.classes = Counter[str]()
        self.dependents: list[int] = []

    def differences(self, seed: int) -> list[str]:
        """Where dflint and the server do not agree about the schema of a seed; empty is good."""
        with psycopg.connect(self._dsn) as connection:
            # Types are printed as identities have them; and nothing is to be found by chance.
            connection.execute("SET client_min_messages = error")
            connection.execute("SET search_path = ''")
            clear(connection)
            grower = Grower(connection, seed)
            grower.grow(STATEMENTS)
            connection.commit()
            self.schemas += 1
            self.classes.update(set(grower.made))
            catalog = read(self._dsn)
            assert not catalog.incomplete, catalog.incomplete
            analysis, before = ImpactAnalysis(catalog), existing(connection)
            found = []
            for target in _chosen(before, random.Random(seed)):
                found += self._judge(connection, target, analysis, before)
            connection.rollback()
        return found

    def _judge(
        self, connection: psycopg.Connection, target: str, analysis: ImpactAnalysis, before: set[str]
    ) -> list[str]:
        command = statement(Identity.parse(target))
        assert command is not None
        refused, _ = attempt(connection, command, before)
        impossible, removed = attempt(connection, command + sql.SQL(" CASCADE"), before)
        operation = single_operation(command.as_string(connection))
        assert operation is not None, target
        impact = analysis.of(operation)
        self.dependents.append(len(impact.dependents))
        goes = {each.identity for each in impact.dependents if each.effect in _GOES}
        found = []
        if impossible is None and goes != removed - {target}:
            found.append(f"{target}: missed {sorted(removed - {target} - goes)}, too much {sorted(goes - removed)}")
        if impact.refused != (refused is not None):
            found.append(f"{target}: refused: {impact.refused}, the server: {refused}")
        return found


def _chosen(existing_now: set[str], chance: random.Random) -> list[str]:
    """Some objects to drop."""
    listed = sorted(each for each in existing_now if MEMBER not in each)
    tables = {Identity.parse(each).parts for each in listed if each.startswith("table:")}
    able = [each for each in listed if _can_be_dropped(Identity.parse(each), tables)]
    wide = [each for each in able if each.startswith("table:")]
    others = [each for each in able if each not in wide]
    return chance.sample(wide, min(_TABLES, len(wide))) + chance.sample(others, min(_OTHERS, len(others)))


def _can_be_dropped(identity: Identity, tables: set[tuple[str, ...]]) -> bool:
    """Whether there is a command for it: only tables' columns and constraints have one."""
    if identity.kind in ("column", "constraint"):
        return identity.parts[:2] in tables
    return statement(identity) is not None
