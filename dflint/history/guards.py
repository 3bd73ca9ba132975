"""Whether an operation of a DO block runs: its conditions, answered by what is known of the catalog.

An answer is three-valued. A row that meets a condition makes it true. That no known row does makes it false only where
the catalog lists everything that could: an object known to be absent, the parts of a completely known table, or
everything, in a closed catalog. A history that was made on an empty database lists everything, but for what its own
doubtful statements may have made (`Draft.doubted`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

from dflint.history.answers import Truth, all_or_any, compared, equal, like, negated, truth
from dflint.history.draft import Draft
from dflint.history.system_catalogs import system
from dflint.history.system_rows import Pins, Row, System, Value, relations
from dflint.history.unlisted import Unlisted
from dflint.model.catalog import UNKNOWN, Unknown
from dflint.model.dependencies import parse_name
from dflint.model.expressions import Expr
from dflint.model.guards import Condition, Guard
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.quoting import quote_identifier

_CLASSES: Final = System(lambda _reader, _pins: (), "relnamespace", "relname", "relation")
#: Types whose values are compared as the strings that they are written as.
_SAME: Final = frozenset({"text", "varchar", "name", "char", "bpchar", "regclass", "oid", "bool", "sql_identifier"})
#: The rows being looked at, by the name that columns are written with.
_Rows = dict[str, Row]
#: More combinations of rows than this are not tried.
_MOST_ROWS: Final = 10_000


def runs(operation: Operation, draft: Draft) -> bool | None:
    """Whether a conditional operation runs; None where that is not known. The draft's path must be set."""
    if draft.decided is None or not operation.guards:
        return None
    certain = True
    for guard in operation.guards:
        answer = _decide(guard, draft)
        if answer is UNKNOWN:
            certain = False
        elif answer is not guard.wanted:
            return False
    return True if certain else None


def _decide(guard: Guard, draft: Draft) -> Truth:
    """The answer to a guard's condition when it was first needed."""
    decided = draft.decided
    if decided is None or not guard.number:
        return UNKNOWN
    if guard.number not in decided:
        answer = Evaluation(draft).answer(guard.condition, {})
        decided[guard.number] = answer is True if answer is not UNKNOWN else UNKNOWN
    return decided[guard.number]


class Evaluation:
    """Answers conditions from a draft as it is."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._unlisted = Unlisted(draft)

    def answer(self, asked: Condition, rows: _Rows) -> Truth:
        """The answer to a condition, where ``rows`` are those of the queries round it."""
        if asked.kind == "value" and asked.value is not None:
            return truth(self.value(asked.value, rows))
        if asked.kind == "exists":
            return self._exists(asked, rows)
        if asked.kind == "not":
            return negated(self.answer(asked.parts[0], rows))
        if asked.kind in ("and", "or"):
            return all_or_any(asked.kind == "and", [self.answer(part, rows) for part in asked.parts])
        return UNKNOWN

    # --- is there a row? ------------------------------------------------------------------------------------------

    def _exists(self, asked: Condition, outer: _Rows) -> Truth:
        path = self._draft.path
        systems = {source.alias: system(source.relation, path) for source in asked.sources}
        pins = self._pins(asked, systems)
        listed: list[list[tuple[str, Row]]] = []
        doubtful = False
        for source in asked.sources:
            found = systems[source.alias]
            if found is None or len(systems) < len(asked.sources):
                # Rows of a user's table, or of a part of the system that is not known here.
                doubtful = True
                listed.append([(source.alias, {})])
                continue
            own = pins[source.alias]
            rows = [row for row in found.rows(self._draft, own) if all(_may_be(row, own, key) for key in own)]
            if self._unlisted.possible(found, own):
                doubtful = True
                rows.append({})
            if not rows:
                return False
            listed.append([(source.alias, row) for row in rows])
        return self._some_row(asked, listed, outer, doubtful)

    def _some_row(self, asked: Condition, listed: list[list[tuple[str, Row]]], outer: _Rows, doubtful: bool) -> Truth:
        answer: Truth = UNKNOWN if doubtful else False
        count = 1
        for candidates in listed:
            count *= len(candidates)
        if count > _MOST_ROWS:
            return UNKNOWN
        for combination in product(*listed):
            rows = {**outer, **dict(combination)}
            met = all_or_any(True, [self.answer(part, rows) for part in asked.parts])
            # An empty row stands for one that is not listed: what is true of it need not exist.
            if met is True and all(row for _, row in combination):
                return True
            if met is UNKNOWN or met is True:
                answer = UNKNOWN
        return answer

    def _pins(self, asked: Condition, systems: dict[str, System | None]) -> dict[str, Pins]:
        """The values that the conditions give to columns, through joins."""
        pins: dict[str, Pins] = {alias: {} for alias in systems}
        for _ in range(3):
            for left, right in _equalities(asked):
                self._pin(left, right, systems, pins)
                self._pin(right, left, systems, pins)
            for alias, found in systems.items():
                if found is not None and found.oid:
                    _pin_oid(found, pins[alias])
        return pins

    def _pin(self, column: Expr, given: Expr, systems: dict[str, System | None], pins: dict[str, Pins]) -> None:
        if column.kind == "cast" and column.type is not None and column.type.name.name in _SAME:
            column = column.args[0]
        if column.kind != "column" or column.name is None:
            return
        value: Value
        if given.kind == "column" and given.name is not None:
            value = next((pins[alias][given.name.name] for alias in _places(given.name, systems, pins)), UNKNOWN)
        else:
            value = self.value(given, {})
        if value is UNKNOWN or value is None:
            return
        for alias in _owners(column.name, systems):
            pins[alias].setdefault(column.name.name, value)

    # --- scalar expressions ---------------------------------------------------------------------------------------

    def value(self, expr: Expr, rows: _Rows) -> Value:
        """The value of an expression."""
        if expr.kind == "constant":
            return expr.value
        if expr.kind == "null":
            return None
        if expr.kind == "column" and expr.name is not None:
            return _column(expr.name, rows)
        if expr.kind in ("and", "or"):
            return all_or_any(expr.kind == "and", [truth(self.value(arg, rows)) for arg in expr.args])
        if expr.kind == "not":
            return negated(truth(self.value(expr.args[0], rows)))
        if expr.kind in ("is_null", "is_not_null"):
            found = self.value(expr.args[0], rows)
            return UNKNOWN if found is UNKNOWN else (found is None) is (expr.kind == "is_null")
        if expr.kind == "cast" and expr.type is not None:
            return self._cast(self.value(expr.args[0], rows), expr.type.name, bool(expr.type.dimensions))
        if expr.kind == "function" and expr.name is not None:
            return self._call(expr.name, [self.value(arg, rows) for arg in expr.args])
        if expr.kind == "value_function" and expr.name is not None and expr.name.name == "current_schema":
            return self._current_schema()
        if expr.kind in ("operator", "in", "like") and expr.name is not None:
            return self._operator(expr, expr.name.name, rows)
        return UNKNOWN

    def _operator(self, expr: Expr, name: str, rows: _Rows) -> Truth:
        if not expr.args:
            return UNKNOWN
        first, *others = expr.args
        left = self.value(first, rows)
        if expr.kind == "in" or name in ("= any", "<> all"):
            if expr.kind != "in":
                others = list(_members(others[0]))
            members = [equal(left, self.value(other, rows)) for other in others]
            found = all_or_any(False, members) if members else UNKNOWN
            return found if name in ("=", "= any") else negated(found)
        if len(others) != 1:
            return UNKNOWN
        right = self.value(others[0], rows)
        if name == "=":
            return equal(left, right)
        if name in ("<>", "!="):
            return negated(equal(left, right))
        if expr.kind == "like":
            return like(left, right, name)
        return compared(left, right, name)

    def _cast(self, value: Value, target: Name, array: bool) -> Value:
        if value is UNKNOWN or value is None or array:
            return value if value is None else UNKNOWN
        name = target.name
        if name == "regclass" and isinstance(value, str):
            found = self._relation(value)
            # PostgreSQL refuses the name of what does not exist.
            return UNKNOWN if found is None else found
        if name == "regnamespace" and isinstance(value, str):
            return value
        if name in _SAME:
            return self._text(value) if isinstance(value, Name) and name != "regclass" else value
        return UNKNOWN

    def _text(self, name: Name) -> str:
        """An object's name as its OID's type prints it."""
        bare = quote_identifier(name.name)
        return bare if name.schema in self._draft.path else f"{quote_identifier(name.schema or '')}.{bare}"

    def _call(self, name: Name, args: list[Value]) -> Value:
        if name.schema not in (None, "pg_catalog"):
            return UNKNOWN
        if name.name == "current_schema" and not args:
            return self._current_schema()
        if len(args) != 1:
            return UNKNOWN
        (given,) = args
        if name.name == "to_regclass" and isinstance(given, str):
            return self._relation(given)
        if name.name in ("lower", "upper") and isinstance(given, str):
            return given.lower() if name.name == "lower" else given.upper()
        return UNKNOWN

    def _current_schema(self) -> Value:
        path = self._draft.path
        return path[0] if path and self._draft.schemas.get(path[0], True) else UNKNOWN

    def _relation(self, text: str) -> Name | Unknown | None:
        """The relation that a text names; None: there is none."""
        name = parse_name(text)
        if name is None:
            return UNKNOWN
        places = [name] if name.schema else [Name(schema, name.name) for schema in ("pg_temp", *self._draft.path)]
        for place in places:
            if next(relations(self._draft, place.schema, place.name), None) is not None:
                return place
            pins: Pins = {"relnamespace": place.schema, "relname": place.name}
            if place.schema != "pg_temp" and self._unlisted.possible(_CLASSES, pins):
                return UNKNOWN
        return UNKNOWN if name.schema is None and name.name.startswith("pg_") else None


# --- pins ------------------------------------------------------------------------------------------------------------


def _equalities(asked: Condition) -> Iterator[tuple[Expr, Expr]]:
    """The pairs of expressions that a row must have equal."""
    for part in asked.parts:
        expr = part.value
        if part.kind != "value" or expr is None or expr.name is None or len(expr.args) != 2:
            continue
        if (expr.kind in ("operator", "in") and expr.name.name == "=") or (
            expr.name.name == "= any" and len(list(_members(expr.args[1]))) == 1
        ):
            yield expr.args[0], next(_members(expr.args[1]))


def _members(expr: Expr) -> Iterator[Expr]:
    """The elements of an array; of anything else, itself."""
    if expr.kind == "cast" and expr.args[0].kind == "array":
        expr = expr.args[0]
    yield from expr.args if expr.kind == "array" else (expr,)


def _owners(column: Name, systems: dict[str, System | None]) -> Iterator[str]:
    """The sources whose column it is: by the name before it, or because it is one that says which object it is."""
    for alias, found in systems.items():
        if column.schema == alias or (
            column.schema is None
            and found is not None
            and (len(systems) == 1 or column.name in (found.schema, found.name, found.parent, found.oid))
        ):
            yield alias


def _places(column: Name, systems: dict[str, System | None], pins: dict[str, Pins]) -> Iterator[str]:
    return (alias for alias in _owners(column, systems) if column.name in pins[alias])


def _pin_oid(found: System, pins: Pins) -> None:
    """An OID follows from schema and name, and they from it."""
    schema, name, oid = pins.get(found.schema), pins.get(found.name), pins.get(found.oid)
    if found.kind == "schema":
        if isinstance(name or oid, str):
            pins[found.oid] = pins[found.name] = name or oid
    elif isinstance(schema, str) and isinstance(name, str):
        pins.setdefault(found.oid, Name(schema, name))
    elif isinstance(oid, Name):
        pins.setdefault(found.schema, oid.schema)
        pins.setdefault(found.name, oid.name)


def _may_be(row: Row, pins: Pins, key: str) -> bool:
    return equal(row.get(key, UNKNOWN), pins[key]) is not False


def _column(name: Name, rows: _Rows) -> Value:
    if name.schema is not None:
        return rows.get(name.schema, {}).get(name.name, UNKNOWN)
    return next((row[name.name] for row in rows.values() if name.name in row), UNKNOWN)
