"""Functions, procedures and aggregates."""

from __future__ import annotations

from typing import Final

from dflint.catalog.reader.columns import TypeNames
from dflint.catalog.reader.deparse import Deparsed, Request
from dflint.catalog.reader.names import PG_PROC, Names
from dflint.catalog.reader.pieces import fetch_by_range, within
from dflint.catalog.reader.relations import pairs
from dflint.catalog.reader.session import SQL, ReaderSession, Row, since
from dflint.catalog.reader.texts import Texts
from dflint.model.catalog import Routine
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.objects import CreateRoutine
from dflint.model.schema import Parameter

_ROUTINES: Final = SQL(
    """
    SELECT p.oid, p.pronamespace, p.proname, p.prokind, l.lanname, p.provolatile, p.proisstrict, p.prosecdef,
           p.proconfig, p.proretset, p.prorettype, p.proargtypes::pg_catalog.text, p.proallargtypes, p.proargmodes,
           p.proargnames, p.prosrc, {standard_body}, p.proowner,
           nullif(p.proacl, pg_catalog.acldefault('f', p.proowner))::pg_catalog.text[]
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE {within}
      -- A range type brings its own constructors.
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
                        AND d.deptype = 'i' AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass)
    """
)
ROUTINES: Final = "routines"
STANDARD_BODIES: Final = "routines with an SQL-standard body"
ROUTINES_QUERY: Final = SQL(
    """
    SELECT p.oid, pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p
    WHERE p.oid = ANY (%s::pg_catalog.oid[])
    """
)

_LANGUAGES: Final = frozenset({"sql", "plpgsql"})
_VOLATILITY: Final = {"v": "volatile", "s": "stable", "i": "immutable"}
_KINDS: Final = {"f": "function", "w": "function", "p": "procedure", "a": "aggregate"}
_MODES: Final = {"i": "in", "o": "out", "b": "inout", "v": "variadic", "t": "table"}


class RoutineRows:
    """What the server says of routines."""

    def __init__(self, rows: list[Row], names: Names) -> None:
        self.rows = rows
        self._members = names.members

    def requests(self, *, standard_bodies: bool) -> list[Request]:
        """The routines whose definition is to be printed: those with a body that can be read."""
        return [
            Request(row[0], ())
            for row in self.rows
            if row[16] == standard_bodies
            and row[4] in _LANGUAGES
            and row[3] != "a"
            and (PG_PROC, row[0]) not in self._members
        ]

    def keys(self) -> list[tuple[int, int]]:
        """The types of parameters and results."""
        found: set[int] = set()
        for row in self.rows:
            found.add(row[10])
            found.update(row[12] or [int(oid) for oid in row[11].split()])
        return [(oid, -1) for oid in found]


async def read_routines(session: ReaderSession, names: Names, places: list[int]) -> RoutineRows:
    """The routines of the wanted schemas."""
    standard_body = since(session.version, 14, "p.prosqlbody IS NOT NULL", "false")
    query = _ROUTINES.format(standard_body=standard_body, within=within("p.oid", places))
    schemas = set(names.schema_oids())
    rows = [row for row in await fetch_by_range(session, "routines", query, places) if row[1] in schemas]
    return RoutineRows(rows, names)


def build_routines(
    rows: RoutineRows, names: Names, types: TypeNames, texts: Texts, deparsed: Deparsed
) -> dict[Name, tuple[Routine, ...]]:
    """The overloads by name, in the order of their input types."""
    listed: dict[Name, list[Routine]] = {}
    for row in rows.rows:
        name = names.name(row[1], row[2])
        text = deparsed.text(ROUTINES, row[0]) or deparsed.text(STANDARD_BODIES, row[0])
        routine = _from_text(name, text, row, types, texts) if text is not None else None
        listed.setdefault(name, []).append(routine or _from_row(name, row, types))
    return {name: tuple(sorted(found, key=_signature)) for name, found in listed.items()}


def _signature(routine: Routine) -> tuple[str, ...]:
    return tuple([f"{each.type.name}{'[]' * each.type.dimensions}" for each in routine.parameters])


def _returned(row: Row, types: TypeNames) -> Type | None:
    """What a call gives back; None of a procedure without output parameters."""
    kind, returns_set, returned = row[3], row[9], types.get(row[10])
    if returned is None or (kind == "p" and returned.name.name == "void"):
        return None
    return Type(returned.name, returned.modifiers, returned.dimensions, True) if returns_set else returned


def _from_text(name: Name, text: str, row: Row, types: TypeNames, texts: Texts) -> Routine | None:
    """The routine that the printed CREATE FUNCTION makes."""
    for operation in texts.statement(text):
        if isinstance(operation, CreateRoutine):
            return Routine(
                name,
                kind=operation.routine,
                parameters=operation.parameters,
                returns=operation.returns if operation.returns is not None else _returned(row, types),
                language=operation.language,
                volatility=operation.volatility,
                strict=operation.strict,
                security_definer=operation.security_definer,
                configuration=operation.configuration,
                body=operation.body,
                inlined=operation.inlined,
            )
    return None


def _from_row(name: Name, row: Row, types: TypeNames) -> Routine:
    """A routine whose body is not SQL, or could not be printed; what it does is not known."""
    kind, language, volatility, strict, security_definer, configuration = row[3:9]
    input_types, all_types, modes, parameter_names, source = row[11:16]
    oids = all_types or [int(oid) for oid in input_types.split()]
    parameters = [
        Parameter(
            (parameter_names[place] or None) if parameter_names else None,
            types.get(oid) or Type(Name(None, "?")),
            _MODES[modes[place]] if modes else "in",  # type: ignore[arg-type]  # values of the Literal
        )
        for place, oid in enumerate(oids)
    ]
    return Routine(
        name,
        kind=_KINDS[kind],  # type: ignore[arg-type]  # values of the Literal
        parameters=tuple(parameters),
        returns=_returned(row, types),
        language=language,
        volatility=_VOLATILITY[volatility],  # type: ignore[arg-type]  # values of the Literal
        strict=strict,
        security_definer=security_definer,
        configuration=pairs(configuration),
        body=source if language in _LANGUAGES and kind != "a" else None,
    )
