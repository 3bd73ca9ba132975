"""Compares what dflint says of renaming and moving objects with what then works on the server."""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

import psycopg
from psycopg import sql

from dflint.app.impact import ImpactAnalysis, single_operation
from dflint.model.names import Identity
from tests.analysis.judge.bodies import ELSEWHERE, TextGrower
from tests.analysis.judge.listing import MEMBER, existing
from tests.analysis.judge.schemas import clear
from tests.analysis.judge.using import WORKED, Use, attempts, prepare, uses
from tests.catalog.live import read

STATEMENTS: Final = 50
#: So many changes of each schema are made and taken back.
_CHANGES: Final = 8
_RELATION: Final = "ALTER TABLE {}"
#: How each kind of object is named by the commands that rename and move it.
_NAMED: Final = {
    "table": _RELATION,
    "view": "ALTER VIEW {}",
    "materialized_view": "ALTER MATERIALIZED VIEW {}",
    "sequence": "ALTER SEQUENCE {}",
    "index": "ALTER INDEX {}",
    "type": "ALTER TYPE {}",
    "domain": "ALTER DOMAIN {}",
    "function": "ALTER FUNCTION {}",
}
_MOVABLE: Final = frozenset(_NAMED) - {"index"}


class RenameJudge:
    """Judges one random schema after another in a database of its own.

    Attributes:
        schemas: how many were judged.
        effects: effect -> how many dependents that can be used were said to have it.
        changes: kind of target and of change -> how many were made.
        made: kinds of what was made.
        proven: dependents that were said to break, and did.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.schemas = 0
        self.effects = Counter[str]()
        self.changes = Counter[str]()
        self.made = Counter[str]()
        self.proven = Counter[str]()

    def differences(self, seed: int) -> list[str]:
        """Where dflint and the server do not agree about the schema of a seed; empty is good."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            # Every use writes all its rows anew.
            connection.execute("VACUUM pg_proc")
        with psycopg.connect(self._dsn) as connection:
            connection.execute("SET client_min_messages = error")
            connection.execute("SET search_path = ''")
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(ELSEWHERE)))
            clear(connection)
            grower = TextGrower(connection, seed)
            grower.grow(STATEMENTS)
            connection.commit()
            self.schemas += 1
            self.made.update(set(grower.made))
            catalog = read(self._dsn)
            assert not catalog.incomplete, catalog.incomplete
            analysis = ImpactAnalysis(catalog)
            prepare(connection)
            known = uses(connection)
            before = attempts(connection, known)
            usable = [(use, state) for use, state in zip(known, before, strict=True) if _may_show(state)]
            found = []
            for change in self._changes(connection, random.Random(seed)):
                found += self._judge(connection, change, analysis, usable)
            connection.rollback()
        return found

    def _changes(self, connection: psycopg.Connection, chance: random.Random) -> list[sql.Composed]:
        listed = sorted(each for each in existing(connection) if MEMBER not in each)
        identities = [Identity.parse(each) for each in listed]
        own = [each for each in identities if each.parts[0] == "public"]
        by_kind: dict[str, list[Identity]] = {}
        for each in own:
            by_kind.setdefault(each.kind, []).append(each)
        found = list[sql.Composed]()
        tries = 0
        while len(found) < _CHANGES and tries < 4 * _CHANGES:
            tries += 1
            kind = chance.choice(_WEIGHTED)
            if not by_kind.get(kind):
                continue
            target = chance.choice(by_kind[kind])
            made = _command(target, chance, identities)
            if made is not None and made not in found:
                found.append(made)
        return found

    def _judge(
        self,
        connection: psycopg.Connection,
        command: sql.Composed,
        analysis: ImpactAnalysis,
        usable: list[tuple[Use, str]],
    ) -> list[str]:
        text = command.as_string(connection)
        connection.execute("SAVEPOINT change")
        try:
            connection.execute(command)
        except psycopg.Error:
            connection.execute("ROLLBACK TO SAVEPOINT change")
            return []
        moved = _adapted(connection, usable)
        states = attempts(connection, [use for use, _ in moved])
        connection.execute("ROLLBACK TO SAVEPOINT change")
        operation = single_operation(text)
        assert operation is not None, text
        impact = analysis.of(operation)
        self.changes[operation.kind] += 1
        effects = {each.identity: each.effect for each in impact.dependents}
        found = []
        for (use, old), new in zip(moved, states, strict=True):
            said = {effects.get(each, "") for each in use.identities}
            self.effects.update(effects[each] for each in use.identities if each in effects)
            works = old[:5] == new[:5]
            if "breaks_later" in said:
                if works and old.startswith(WORKED):
                    shown = [each for each in use.identities if effects.get(each) == "breaks_later"]
                    found.append(f"{text}: {shown} should break, and works: {use.statement}")
                elif not works:
                    self.proven.update(each.partition(":")[0] for each in use.identities if effects.get(each))
            elif not works and not said & {"unknown", "changes"}:
                found.append(f"{text}: {sorted(use.identities)} should work: {new}: {use.statement}")
        return found


_WEIGHTED: Final = (
    ["table"] * 4
    + ["column"] * 6
    + ["function"] * 4
    + ["view", "view", "materialized_view", "sequence", "type", "type", "domain", "constraint", "index"]
)


def _may_show(state: str) -> bool:
    """Whether a use can show that something broke: it worked, or failed for its data."""
    return state.startswith((WORKED, "23"))


def _command(target: Identity, chance: random.Random, everything: list[Identity]) -> sql.Composed | None:
    """A rename or a move of an object."""
    new = "renamed now"
    if chance.random() < 0.2:
        # A name that is in use elsewhere, and may hide something, or make it ambiguous.
        new = chance.choice(everything).parts[-1].partition("(")[0]
    fresh = sql.Identifier(new)
    own = sql.Identifier(*target.parts[:2])
    if target.kind == "column":
        relation = next((each for each in everything if each.parts == target.parts[:2]), None)
        if relation is not None and relation.kind == "type":
            return sql.SQL("ALTER TYPE {} RENAME ATTRIBUTE {} TO {}").format(
                own, sql.Identifier(target.parts[2]), fresh
            )
        return sql.SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(own, sql.Identifier(target.parts[2]), fresh)
    if target.kind == "constraint":
        return sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(own, sql.Identifier(target.parts[2]), fresh)
    if target.kind == "function":
        name, _, arguments = target.parts[1].rpartition("(")
        own_function = sql.Identifier(target.parts[0], name)
        start = sql.SQL("ALTER FUNCTION {}({}").format(own_function, sql.SQL(arguments))
    else:
        start = sql.SQL(_NAMED[target.kind]).format(own)
    if target.kind in _MOVABLE and chance.random() < 0.3:
        return start + sql.SQL(" SET SCHEMA {}").format(sql.Identifier(ELSEWHERE))
    return start + sql.SQL(" RENAME TO {}").format(fresh)


def _adapted(connection: psycopg.Connection, usable: list[tuple[Use, str]]) -> list[tuple[Use, str]]:
    """The uses of what is still called as before: others would fail for their own spelling."""
    now = {(use.statement, use.identities) for use in uses(connection)}
    return [(use, state) for use, state in usable if (use.statement, use.identities) in now]
