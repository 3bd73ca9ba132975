"""Functions and procedures, as lists of overloads."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.model.catalog import Routine, Table, View
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.objects import AlterRoutine, CreateRoutine
from dflint.model.schema import Parameter

_INPUT = frozenset({"in", "inout", "variadic"})
_VOLATILITY = frozenset({"volatile", "stable", "immutable"})


def create_routine(draft: Draft, operation: CreateRoutine) -> None:
    """CREATE [OR REPLACE] FUNCTION or PROCEDURE: one overload for each list of input types."""
    name = draft.creation_name(operation.target)
    parameters = tuple([_with_plain_type(draft, parameter) for parameter in operation.parameters])
    returns = operation.returns
    routine = Routine(
        name,
        kind=operation.routine,
        parameters=parameters,
        returns=_returned(operation.routine, parameters) if returns is None else _plain_type(draft, returns),
        language=operation.language,
        volatility=operation.volatility,
        strict=operation.strict,
        security_definer=operation.security_definer,
        configuration=operation.configuration,
        body=operation.body,
        inlined=operation.inlined,
    )
    known = draft.routines.get(name) or ()
    same = find(known, input_types(parameters))
    if same is None:
        draft.put_routines(name, (*known, routine))
    elif operation.or_replace and same.kind == routine.kind:
        draft.put_routines(name, tuple([routine if old is same else old for old in known]))
    else:
        raise Refused


def _with_plain_type(draft: Draft, parameter: Parameter) -> Parameter:
    plain = _plain_type(draft, parameter.type)
    return parameter if plain is parameter.type else replace(parameter, type=plain)


def _plain_type(draft: Draft, kind: Type) -> Type:
    """What the server keeps of a type in a signature: ``table.column%TYPE`` is the column's type of that moment."""
    if not kind.reference:
        return draft.resolve_type(kind) or kind
    if kind.name.schema is None:
        return kind
    schema, _, table = kind.name.schema.rpartition(".")
    relation = draft.known(draft.resolve(Name(schema or None, table)))
    columns = (relation.columns or ()) if isinstance(relation, Table | View) else ()
    for column in columns:
        if column.name == kind.name.name and column.type is not None:
            return replace(column.type, modifiers=(), setof=kind.setof)
    return kind


def _returned(kind: str, parameters: tuple[Parameter, ...]) -> Type | None:
    """What a routine without RETURNS gives back: its output parameter; a record of several, or of a procedure's."""
    out = [parameter.type for parameter in parameters if parameter.mode in ("out", "inout")]
    if len(out) > 1 or (out and kind == "procedure"):
        return Type(Name("pg_catalog", "record"))
    return out[0] if out else None


def input_types(parameters: tuple[Parameter, ...]) -> tuple[Type, ...]:
    """The types that tell overloads apart."""
    return tuple([parameter.type for parameter in parameters if parameter.mode in _INPUT])


def same_types(one: tuple[Type, ...], other: tuple[Type, ...]) -> bool:
    """Whether two lists of types mean the same; a name without schema matches any schema."""
    return len(one) == len(other) and all(map(_same_type, one, other))


def _same_type(one: Type, other: Type) -> bool:
    if one.name.name != other.name.name or bool(one.dimensions) != bool(other.dimensions):
        return False
    return one.name.schema == other.name.schema or None in (one.name.schema, other.name.schema)


def find(routines: tuple[Routine, ...], arguments: tuple[Type, ...] | None) -> Routine | None:
    """The overload with these input types; without ``arguments`` the only one there is."""
    if arguments is None:
        return routines[0] if len(routines) == 1 else None
    return next((r for r in routines if same_types(input_types(r.parameters), arguments)), None)


def altered(draft: Draft, target: Name, arguments: tuple[Type, ...] | None) -> Routine:
    """The known overload that an ALTER means.

    Raises:
        Refused: none is known, or several fit.
    """
    found = find(draft.routines.get(draft.resolve_routine(target)) or (), arguments)
    if found is None:
        raise Refused
    return found


def alter_routine(draft: Draft, operation: AlterRoutine) -> None:
    """ALTER FUNCTION: the attributes that the catalog keeps."""
    routine = altered(draft, operation.target, operation.arguments)
    changed = routine
    for option, value in operation.options:
        if option in _VOLATILITY or option == "volatility":
            changed = _with_volatility(changed, value if option == "volatility" else option)
        elif option == "strict":
            changed = replace(changed, strict=_is_true(value))
        elif option in ("security", "security_definer"):
            changed = replace(changed, security_definer=_is_true(value))
    put_overload(draft, routine, changed)


def _with_volatility(routine: Routine, value: str | None) -> Routine:
    if value == "immutable":
        return replace(routine, volatility="immutable")
    return replace(routine, volatility="stable" if value == "stable" else "volatile")


def _is_true(value: str | None) -> bool:
    return value is None or value.lower() in ("true", "on", "1", "definer")


def put_overload(draft: Draft, old: Routine, new: Routine | None) -> None:
    """Replace one overload, or (None) take it away.

    Without any known one left the name becomes unknown, because the database may hold others.
    """
    known = draft.routines.get(old.name) or ()
    if new is not None:
        draft.put_routines(old.name, tuple([new if routine is old else routine for routine in known]))
        return
    kept = tuple([routine for routine in known if routine is not old])
    if kept:
        draft.put_routines(old.name, kept)
    else:
        draft.remove_routines(old.name, forget=not draft.closed)


def drop_routine(draft: Draft, target: Name, arguments: tuple[Type, ...] | None, *, cascade: bool) -> None:
    """DROP FUNCTION and its kin; triggers that call the function need CASCADE."""
    name = draft.resolve_routine(target)
    known = draft.routines.get(name) or ()
    found = find(known, arguments)
    if found is None:
        if known and arguments is None:
            raise Refused
        if not known and arguments is None and not draft.closed:
            # The name was not overloaded, or did not exist.
            draft.remove_routines(name)
        return
    if not input_types(found.parameters):
        _drop_triggers(draft, name, cascade)
    put_overload(draft, found, None)
    if arguments is None:
        draft.remove_routines(name)


def _drop_triggers(draft: Draft, function: Name, cascade: bool) -> None:
    for relation_name in draft.users_of_routine.get(function, ()):
        if not cascade:
            raise Refused
        relation = draft.known(relation_name)
        if isinstance(relation, Table | View):
            kept = tuple([trigger for trigger in relation.triggers if trigger.function != function])
            draft.put(replace(relation, triggers=kept))
