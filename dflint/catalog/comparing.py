"""Whether two catalogs say the same, where one may know less than the other or spell it differently.

A replayed catalog and one read from a server are equal values but for spelling, which the normal form takes away, and
for what a history cannot tell (`NOT_IN_HISTORY`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import fields, replace

from dflint.catalog.normal_form import normal_default, normal_expression, normal_type
from dflint.model.catalog import (
    Catalog,
    CompositeType,
    Domain,
    EnumType,
    Index,
    Policy,
    Publication,
    RangeType,
    Routine,
    Sequence,
    Table,
    Trigger,
    View,
)
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint, IndexElement, Options, PartitionBound, PartitionKey, SequenceOptions

#: Fields that a history does not tell, or not reliably: who owned an object when it was made depends on who ran it.
NOT_IN_HISTORY: Final = frozenset({"owner", "rows", "bytes", "populated", "complete"})

#: Fields of routines whose value depends on how the body was read.
_BODIES: Final = frozenset({"inlined", "body"})


class Difference(NamedTuple):
    """One thing that two catalogs say differently.

    Attributes:
        what: the object: ``relation public.t``.
        path: the place in it, such as ``columns.id.default``; empty for the whole object.
        one, other: what they say; None where one of them has no such object.
    """

    what: str
    path: str
    one: object
    other: object


def differences(one: Catalog, other: Catalog) -> list[Difference]:
    """What a replayed catalog (``one``) and a live or loaded one (``other``) say differently.

    What only ``other`` can know is not compared: members of extensions and what `NOT_IN_HISTORY` names. Nor is what
    ``one`` says to be unknown.
    """
    found: list[Difference] = []
    members = {identity.partition(":")[2] for identity in other.details.extension_members}
    for what, mine, yours in (
        ("relation", one.relations, other.relations),
        ("type", one.types, other.types),
        ("routine", one.routines, other.routines),
        ("publication", one.publications, other.publications),
    ):
        known = {key: value for key, value in mine.items() if value is not None and not _temporary(key)}
        real = {key: value for key, value in yours.items() if value is not None and not _member(key, members)}
        for key in sorted({*known, *real}, key=str):
            left, right = known.get(key), real.get(key)
            if left is None or right is None:
                found.append(Difference(f"{what} {key}", "", left, right))
            else:
                found += [
                    Difference(f"{what} {key}", path, a, b)
                    for path, a, b in _compare(_normal(left), _normal(right), "")
                ]
    for what, mine_names, your_names in (
        ("schema", {k for k, v in one.schemas.items() if v}, {k for k, v in other.schemas.items() if v} - {"public"}),
        ("extension", {k for k, v in one.extensions.items() if v}, {*other.extensions} - {"plpgsql"}),
    ):
        for key in sorted((mine_names - {"public", "plpgsql"}) ^ your_names):
            found.append(Difference(f"{what} {key}", "", key in mine_names or None, key in your_names or None))
    return found


def _temporary(key: object) -> bool:
    return isinstance(key, Name) and key.schema == "pg_temp"


def _member(key: Any, members: set[str]) -> bool:
    """Whether an extension brought it; of routines, any overload."""
    text = str(key)
    if text in members:
        return True
    return isinstance(key, Name) and any(m.startswith(f'{key.schema}."{key.name}(') for m in members)


def _compare(one: Any, other: Any, path: str) -> Iterator[tuple[str, object, object]]:
    """The places where two normal values differ."""
    if isinstance(one, Name) and isinstance(other, Name) and None in (one.schema, other.schema):
        if one.name != other.name:
            yield path, one, other
    elif isinstance(one, Type) and isinstance(other, Type):
        # A history does not always tell the schema of a type: an extension may have brought it.
        if one.name.schema is None or other.name.schema is None:
            one = replace(one, name=Name(None, one.name.name))
            other = replace(other, name=Name(None, other.name.name))
        if one != other:
            yield path, one, other
    elif isinstance(one, Struct) and type(one) is type(other):
        for field in fields(one):
            if field.name not in NOT_IN_HISTORY:
                inner = f"{path}.{field.name}" if path else field.name
                yield from _compare(getattr(one, field.name), getattr(other, field.name), inner)
    elif isinstance(one, tuple) and isinstance(other, tuple) and not isinstance(one, Name) and one and other:
        yield from _compare_parts(one, other, path)
    elif one != other and not (one is None and (path.endswith(".type") or path == "columns")):
        # A history does not always tell a column's type, or which columns a view has.
        yield path, one, other


def _by_signature(routines: tuple[Any, ...]) -> tuple[Any, ...]:
    """Overloads in an order of their own: that of their making does not matter."""
    return tuple(sorted(routines, key=lambda each: str([parameter.type for parameter in each.parameters])))


def _compare_parts(one: tuple[Any, ...], other: tuple[Any, ...], path: str) -> Iterator[tuple[str, object, object]]:
    names = [getattr(part, "name", None) for part in (*one, *other)]
    if all(isinstance(name, str) for name in names):
        left, right = {part.name: part for part in one}, {part.name: part for part in other}
        for name in dict.fromkeys([*left, *right]):
            yield from _compare(left.get(name), right.get(name), f"{path}.{name}")
        if [part.name for part in one] != [part.name for part in other] and left.keys() == right.keys():
            yield f"{path} (order)", tuple(left), tuple(right)
    elif len(one) == len(other):
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _compare(a, b, f"{path}[{place}]")
    else:
        yield path, one, other


# --- the normal form of objects ---------------------------------------------------------------------------------------


def _normal(value: Any) -> Any:
    normalise = _NORMAL.get(type(value))
    if normalise is not None:
        return normalise(value)
    if type(value) is tuple:
        parts = tuple([_normal(part) for part in value])
        return _by_signature(parts) if parts and isinstance(parts[0], Routine) else parts
    return value


def _options(options: Options) -> Options:
    """Sorted; Booleans have several spellings."""
    return tuple(sorted([(name, _boolean(value)) for name, value in options]))


def _boolean(value: str | None) -> str:
    if value is None:
        return "true"
    return {"on": "true", "off": "false", "yes": "true", "no": "false"}.get(value.lower(), value)


def _column(column: Column) -> Column:
    return replace(
        column,
        type=normal_type(column.type),
        default=normal_default(column.default, column.type),
        generated=normal_expression(column.generated),
        collation=_bare(column.collation),
        options=_options(column.options),
        storage=column.storage.lower() if column.storage else None,
        compression=column.compression if column.compression not in ("default", None) else None,
    )


def _bare(name: Name | None) -> Name | None:
    """PostgreSQL's own operator classes and collations, with or without their schema."""
    return Name(None, name.name) if name is not None and name.schema == "pg_catalog" else name


#: PostgreSQL's operator classes that are the default of their types: writing them says nothing.
_DEFAULT_CLASSES: Final = frozenset(
    """aclitem_ops array_ops bit_minmax_ops bit_ops bool_ops box_inclusion_ops box_ops bpchar_minmax_ops bpchar_ops
    bytea_minmax_ops bytea_ops char_minmax_ops char_ops cid_ops circle_ops date_minmax_ops date_ops enum_ops
    float4_minmax_ops float4_ops float8_minmax_ops float8_ops inet_inclusion_ops inet_ops int2_minmax_ops int2_ops
    int4_minmax_ops int4_ops int8_minmax_ops int8_ops interval_minmax_ops interval_ops jsonb_ops macaddr8_minmax_ops
    macaddr8_ops macaddr_minmax_ops macaddr_ops money_ops multirange_ops name_minmax_ops name_ops numeric_minmax_ops
    numeric_ops oid_minmax_ops oid_ops oidvector_ops pg_lsn_minmax_ops pg_lsn_ops point_ops poly_ops quad_point_ops
    range_inclusion_ops range_ops record_ops text_minmax_ops text_ops tid_minmax_ops tid_ops time_minmax_ops time_ops
    timestamp_minmax_ops timestamp_ops timestamptz_minmax_ops timestamptz_ops timetz_minmax_ops timetz_ops tsquery_ops
    tsvector_ops uuid_minmax_ops uuid_ops varbit_minmax_ops varbit_ops xid8_ops xid_ops""".split()
)


def _operator_class(name: Name | None) -> Name | None:
    bare = _bare(name)
    return None if bare is not None and bare.schema is None and bare.name in _DEFAULT_CLASSES else bare


def _element(element: IndexElement) -> IndexElement:
    nulls_first = element.nulls_first
    return replace(
        element,
        expression=normal_expression(element.expression),
        collation=_bare(element.collation),
        operator_class=_operator_class(element.operator_class),
        operator_class_options=_options(element.operator_class_options),
        nulls_first=None if nulls_first == element.descending else nulls_first,
    )


def _elements(elements: tuple[IndexElement, ...]) -> tuple[IndexElement, ...]:
    return tuple([_element(element) for element in elements])


def _constraint(constraint: Constraint) -> Constraint:
    method = constraint.method
    return replace(
        constraint,
        expression=normal_expression(constraint.expression),
        columns=tuple(sorted(constraint.columns)) if constraint.kind == "check" else constraint.columns,
        where=normal_expression(constraint.where),
        elements=_elements(constraint.elements),
        method=(method or "btree") if constraint.kind == "exclusion" else None,
    )


def _constraints(constraints: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
    return tuple(sorted([_constraint(each) for each in constraints], key=lambda each: each.name or ""))


def _trigger(trigger: Trigger) -> Trigger:
    order = ("insert", "delete", "update", "truncate")
    return replace(trigger, when=normal_expression(trigger.when), events=tuple(sorted(trigger.events, key=order.index)))


def _policy(policy: Policy) -> Policy:
    return replace(
        policy,
        roles=tuple(sorted(policy.roles)) or ("public",),
        using=normal_expression(policy.using),
        check=normal_expression(policy.check),
    )


def _key(key: PartitionKey | None) -> PartitionKey | None:
    return None if key is None else replace(key, elements=_elements(key.elements))


def _bound(bound: PartitionBound | None) -> PartitionBound | None:
    if bound is None:
        return None
    values = sorted([_value(value) for value in bound.values], key=str)
    return replace(
        bound,
        values=tuple(values),
        lower=tuple([normal_expression(value) for value in bound.lower]),
        upper=tuple([normal_expression(value) for value in bound.upper]),
    )


def _value(value: Expr) -> Expr:
    return normal_expression(value) or value


def _table(table: Table) -> Table:
    return replace(
        table,
        columns=tuple([_column(column) for column in table.columns]),
        constraints=_constraints(table.constraints),
        triggers=tuple([_trigger(trigger) for trigger in table.triggers]),
        policies=tuple([_policy(policy) for policy in table.policies]),
        partition_by=_key(table.partition_by),
        bound=_bound(table.bound),
        options=_options(table.options),
        method=None if table.method == "heap" else table.method,
        tablespace=None if table.tablespace == "pg_default" else table.tablespace,
    )


def _index(index: Index) -> Index:
    return replace(
        index,
        elements=_elements(index.elements),
        where=normal_expression(index.where),
        options=_options(index.options),
        tablespace=None if index.tablespace == "pg_default" else index.tablespace,
    )


def _view(view: View) -> View:
    # Of a query only what it reads is compared: the rest is spelled in too many ways.
    query = replace(
        view.query,
        reads=tuple(sorted(view.query.reads, key=lambda read: (read.name, read.schema or ""))),
        columns=(),
        functions=(),
        mentions=None,
    )
    columns = tuple([Column(column.name) for column in view.columns]) if view.columns is not None else None
    return replace(view, query=query, columns=columns, options=_options(view.options), definition=None)


def _sequence(sequence: Sequence) -> Sequence:
    return replace(sequence, options=_sequence_options(sequence.options))


_LARGEST: Final = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}


def _sequence_options(options: SequenceOptions) -> SequenceOptions:
    """What differs from the defaults."""
    kind = options.type or Type(Name("pg_catalog", "int8"))
    largest = _LARGEST.get(kind.name.name, _LARGEST["int8"])
    increment = options.increment or 1
    usual_minimum, usual_maximum = (1, largest) if increment > 0 else (-largest - 1, -1)
    minimum = usual_minimum if options.minimum is None else options.minimum
    maximum = usual_maximum if options.maximum is None else options.maximum
    usual_start = minimum if increment > 0 else maximum
    start = usual_start if options.start is None else options.start
    return SequenceOptions(
        kind,
        None if increment == 1 else increment,
        None if minimum == usual_minimum else minimum,
        None if maximum == usual_maximum else maximum,
        start=None if start == usual_start else start,
        cache=None if options.cache == 1 else options.cache,
        cycle=options.cycle or None,
    )


def _domain(domain: Domain) -> Domain:
    return replace(
        domain,
        type=normal_type(domain.type) or domain.type,
        default=normal_default(domain.default, domain.type),
        constraints=_constraints(domain.constraints),
        collation=_bare(domain.collation),
    )


def _composite(kind: CompositeType) -> CompositeType:
    return replace(kind, attributes=tuple([_column(attribute) for attribute in kind.attributes]))


def _range(kind: RangeType) -> RangeType:
    return replace(kind, subtype=normal_type(kind.subtype))


def _routine(routine: Routine) -> Routine:
    parameters = tuple(
        [
            replace(parameter, type=normal_type(parameter.type) or parameter.type, default=None)
            for parameter in routine.parameters
        ]
    )
    if routine.kind == "aggregate":
        # What else it is follows from its functions.
        return Routine(routine.name, "aggregate", tuple([replace(each, name=None) for each in parameters]))
    returns = normal_type(routine.returns)
    return replace(
        routine,
        parameters=tuple([replace(each, type=replace(each.type, modifiers=())) for each in parameters]),
        returns=None if returns is None else replace(returns, modifiers=()),
        configuration=_options(routine.configuration),
        body=None,
        inlined=None,
    )


def _publication(publication: Publication) -> Publication:
    return replace(publication, filters=(), columns=(), operations=None, via_root=False)


_NORMAL: Final[dict[type, Any]] = {
    Table: _table,
    Index: _index,
    View: _view,
    Sequence: _sequence,
    CompositeType: _composite,
    Domain: _domain,
    RangeType: _range,
    Routine: _routine,
    Publication: _publication,
    EnumType: lambda kind: kind,
}
