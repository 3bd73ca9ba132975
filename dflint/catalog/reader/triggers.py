"""What is attached to tables and views: triggers, rules and policies."""

from __future__ import annotations

from typing import Final

from dflint.catalog.reader.columns import UNREADABLE
from dflint.catalog.reader.deparse import Deparsed, Request
from dflint.catalog.reader.names import Names
from dflint.catalog.reader.pieces import fetch_by_oids
from dflint.catalog.reader.session import SQL, ReaderSession, Row
from dflint.catalog.reader.texts import Texts
from dflint.model.catalog import Policy, Trigger
from dflint.model.expressions import Expr
from dflint.model.operations.objects import CreateTrigger

_TRIGGERS: Final = SQL(
    """
    SELECT t.oid, t.tgrelid, t.tgname, t.tgtype::pg_catalog.int4, t.tgattr::pg_catalog.text, t.tgenabled,
           t.tgconstraint <> 0, t.tgqual IS NOT NULL, p.pronamespace, p.proname, t.tgargs,
           t.tgoldtable, t.tgnewtable, t.tgdeferrable, t.tginitdeferred, t.tgconstrrelid
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = ANY (%s::pg_catalog.oid[]) AND NOT t.tgisinternal
    """
)
_RULES: Final = SQL(
    """
    SELECT ev_class, rulename FROM pg_catalog.pg_rewrite
    WHERE ev_class = ANY (%s::pg_catalog.oid[]) AND rulename <> '_RETURN'
    """
)
_POLICIES: Final = SQL(
    """
    SELECT oid, polrelid, polname, polcmd, polpermissive, polroles
    FROM pg_catalog.pg_policy WHERE polrelid = ANY (%s::pg_catalog.oid[])
    """
)
CONDITIONS: Final = "conditions of triggers"
CONDITIONS_QUERY: Final = SQL(
    """
    SELECT t.oid, pg_catalog.pg_get_triggerdef(t.oid) FROM pg_catalog.pg_trigger t
    WHERE t.oid = ANY (%s::pg_catalog.oid[])
    """
)
POLICIES: Final = "policies"
POLICIES_QUERY: Final = SQL(
    """
    SELECT p.oid, pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
    FROM pg_catalog.pg_policy p WHERE p.oid = ANY (%s::pg_catalog.oid[])
    """
)

# Bits of pg_trigger.tgtype.
_ROW: Final = 1
_BEFORE: Final = 2
_INSTEAD: Final = 64
_EVENTS: Final = ((4, "insert"), (8, "delete"), (16, "update"), (32, "truncate"))
_STATES: Final = {"O": "enable", "D": "disable", "R": "replica", "A": "always"}
_COMMANDS: Final = {"*": "all", "r": "select", "a": "insert", "w": "update", "d": "delete"}


class AttachedRows:
    """What the server says of triggers, rules and policies."""

    def __init__(self, triggers: list[Row], rules: list[Row], policies: list[Row]) -> None:
        self.triggers = triggers
        self.policies = policies
        self.rules: dict[int, list[str]] = {}
        for relation, name in rules:
            self.rules.setdefault(relation, []).append(name)

    def trigger_requests(self) -> list[Request]:
        """The triggers with a condition, which is to be printed."""
        return [Request(row[0], (row[1],)) for row in self.triggers if row[7]]

    def policy_requests(self) -> list[Request]:
        """The policies, whose expressions are to be printed."""
        return [Request(row[0], (row[1],)) for row in self.policies]

    def rule_names(self, relation: int) -> tuple[str, ...]:
        """The rules of a table or view, sorted."""
        return tuple(sorted(self.rules.get(relation, ())))


async def read_attached(session: ReaderSession, tables: list[int], views: list[int]) -> AttachedRows:
    """What is attached to these tables and views."""
    relations = sorted([*tables, *views])
    return AttachedRows(
        *await session.together(
            fetch_by_oids(session, "triggers", _TRIGGERS, relations),
            fetch_by_oids(session, "rules", _RULES, relations),
            fetch_by_oids(session, "policies", _POLICIES, tables),
        )
    )


def build_triggers(
    rows: AttachedRows, names: Names, columns: dict[int, dict[int, str]], texts: Texts, deparsed: Deparsed
) -> dict[int, tuple[Trigger, ...]]:
    """Relation -> its triggers, by name."""
    listed: dict[int, list[Trigger]] = {}
    for row in rows.triggers:
        oid, relation, name, bits, numbers, state, constraint, conditional, schema, function = row[:10]
        arguments, old_table, new_table, deferrable, deferred, referenced = row[10:]
        of_relation = columns.get(relation, {})
        trigger = Trigger(
            name,
            names.name(schema, function),
            "instead_of" if bits & _INSTEAD else "before" if bits & _BEFORE else "after",
            tuple([event for bit, event in _EVENTS if bits & bit]),
            tuple([of_relation.get(int(number), "?") for number in numbers.split()]),
            bool(bits & _ROW),
            _condition(deparsed.text(CONDITIONS, oid), texts) if conditional else None,
            constraint,
            _STATES[state],  # type: ignore[arg-type]  # values of the Literal
            _arguments(arguments),
            tuple([each for each in (old_table, new_table) if each is not None]),
            deferrable,
            deferred,
            names.relations.get(referenced),
        )
        listed.setdefault(relation, []).append(trigger)
    return {relation: tuple(sorted(found, key=lambda each: each.name)) for relation, found in listed.items()}


def _arguments(stored: bytes) -> tuple[str, ...]:
    """The arguments of a trigger: each ends with a zero byte."""
    return tuple(stored.decode(errors="replace").split("\0")[:-1])


def _condition(definition: str | None, texts: Texts) -> Expr:
    for operation in texts.statement(definition) if definition is not None else ():
        if isinstance(operation, CreateTrigger) and operation.when is not None:
            return operation.when
    return UNREADABLE


def build_policies(rows: AttachedRows, names: Names, texts: Texts, deparsed: Deparsed) -> dict[int, tuple[Policy, ...]]:
    """Table -> its policies, by name."""
    listed: dict[int, list[Policy]] = {}
    for oid, relation, name, command, permissive, roles in rows.policies:
        printed = deparsed.rows(POLICIES, oid)
        using, check = printed[0][1:] if printed else (None, None)
        policy = Policy(
            name,
            _COMMANDS[command],
            permissive,
            tuple(sorted([names.role(role) for role in roles])),
            texts.expression(using) if printed else UNREADABLE,
            texts.expression(check) if printed else UNREADABLE,
        )
        listed.setdefault(relation, []).append(policy)
    return {relation: tuple(sorted(found, key=lambda each: each.name)) for relation, found in listed.items()}
