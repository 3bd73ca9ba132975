"""What ALTER COLUMN … TYPE costs: nothing, indexes, or a rewrite of the whole table.

PostgreSQL plans the conversion as an expression, simplifies it, and rewrites the table unless nothing but the column
itself is left (relabelling to a binary-coercible type, a domain without constraints, a length that can only grow).
This module follows the same steps.
"""

from __future__ import annotations

from msgspec.structs import replace

from dflint.facts import subjects
from dflint.model.catalog import UNKNOWN, CompositeType, Domain, EnumType, Other, Table, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Expr, Type
from dflint.model.names import Identity, Name
from dflint.model.operations.tables import AlterColumnType
from dflint.model.schema import Column

#: Casts that PostgreSQL makes by itself in an assignment; ``=`` after those that only relabel.
_CASTS = """
bit: varbit=
bool: bpchar text varchar
box: polygon
bpchar: char name text varchar
char: bpchar text varchar
cidr: bpchar inet= text varchar
date: timestamp timestamptz
float4: float8 int2 int4 int8 numeric
float8: float4 int2 int4 int8 numeric
inet: bpchar cidr text varchar
int2: float4 float8 int4 int8 numeric oid regclass regproc regtype
int4: float4 float8 int2 int8 money numeric oid= regclass= regproc= regtype=
int8: float4 float8 int2 int4 money numeric oid regclass regproc regtype
interval: time
json: jsonb
jsonb: json
macaddr: macaddr8
macaddr8: macaddr
regclass: oid= int4= int8
regproc: oid= int4= int8
regtype: oid= int4= int8
money: numeric
name: bpchar text varchar
numeric: float4 float8 int2 int4 int8 money
oid: int4= int8 regclass= regproc= regtype=
path: polygon
point: box
polygon: path
text: bpchar= char name regclass varchar= citext=
time: interval timetz
timestamp: date time timestamptz
timestamptz: date time timestamp timetz
timetz: time
varbit: bit=
varchar: bpchar= char name regclass text= citext=
xml: bpchar= text= varchar=
citext: bpchar= text= varchar=
"""
_TEXTS = frozenset({"text", "varchar", "bpchar", "name", "citext"})
#: Types that share an operator class, so that an index outlives a relabelling.
_SAME_INDEX = (
    {"text", "varchar"}, {"inet", "cidr"}, {"oid", "regclass"}, {"oid", "regproc"}, {"oid", "regtype"}
)  # fmt: skip
_COLLATABLE = frozenset({"text", "varchar", "bpchar", "citext", "name"})
_UTC = frozenset({"utc", "gmt", "uct", "zulu", "universal", "greenwich", "z", "0", "+0", "-0", "+00", "+00:00"})
_ORDER = ("none", "index_rebuild", "rewrite", "refused")
#: Domains may stand on domains, but not for ever.
_DEEPEST = 32


def type_change(context: Context) -> str | Unknown:
    """What ALTER COLUMN TYPE does to the table: `none`: only the catalog changes; `index_rebuild`: the heap stays,
    but plain indexes on the column are rebuilt; `rewrite`: heap and all indexes; `refused`: there is no cast, and no
    USING. Indexes with expressions or predicates on the column, and CHECKs, are questions of their own.
    """
    operation = context.operation
    if not isinstance(operation, AlterColumnType):
        return "none"
    steps = _using_steps(operation, context)
    if steps is None:
        return "rewrite"
    column = subjects.column(context)
    if not isinstance(column, Column) or column.type is None or operation.type.reference:
        return UNKNOWN
    worst, unknown = "none", False
    before = column.type
    for after in (*steps, operation.type):
        cost = conversion_cost(before, after, context)
        # A cast that USING spells out need not be one that an assignment would find.
        if cost == "refused" and operation.using is not None:
            cost = "rewrite"
        unknown = unknown or cost is UNKNOWN
        worst = worst if cost is UNKNOWN else max(worst, cost, key=_ORDER.index)
        before = after
    if unknown:
        return worst if worst in ("rewrite", "refused") and operation.using is not None else UNKNOWN
    if worst == "none" and collation_changes(context):
        return "index_rebuild"
    return worst


def collation_changes(context: Context) -> bool:
    """Whether ALTER COLUMN TYPE gives the column another collation."""
    operation, column = context.operation, subjects.column(context)
    if not isinstance(operation, AlterColumnType) or not isinstance(column, Column) or column.type is None:
        return False
    if operation.type.name.name not in _COLLATABLE or operation.type.name.schema not in (None, "pg_catalog"):
        return False
    return _plain_collation(column.collation) != _plain_collation(operation.collation)


def _plain_collation(name: Name | None) -> Name | None:
    """Without the schema that is always searched; the default is no collation at all."""
    if name is None or name.schema not in (None, "pg_catalog"):
        return name
    return None if name.name == "default" else Name(None, name.name)


def _using_steps(operation: AlterColumnType, context: Context) -> list[Type] | None:
    """The types that USING casts the column to, one after the other; None when it does anything else."""
    steps: list[Type] = []
    expr: Expr | None = operation.using
    while expr is not None:
        if expr.kind == "column":
            same = expr.name is not None and expr.name.name == operation.column
            return steps[::-1] if same else None
        if expr.kind == "cast" and expr.type is not None:
            steps.append(expr.type)
        elif expr.kind == "function":
            inlined = _inlined(expr, context)
            if inlined is None:
                return None
            steps.append(inlined)
        elif expr.kind != "collate":
            return None
        expr = expr.args[0]
    return []


def _inlined(call: Expr, context: Context) -> Type | None:
    """The type of a call of an SQL function that does nothing but return its only argument; None for any other."""
    if call.name is None or len(call.args) != 1:
        return None
    schemas = (call.name.schema,) if call.name.schema else context.session.search_path
    for schema in schemas:
        for routine in context.catalog.routines.get(Name(schema, call.name.name)) or ():
            given = [each for each in routine.parameters if each.mode == "in"]
            body = routine.inlined
            if len(given) != 1 or body is None or routine.strict:
                continue
            named = body.kind == "column" and body.name is not None and body.name.name == given[0].name
            if named or body.kind == "parameter":
                return routine.returns
    return None


def conversion_cost(old: Type, new: Type, context: Context) -> str | Unknown:
    """The cost of converting a column of one type to another, as `type_change` answers it, by an assignment."""
    if _qualified(old, context) == _qualified(new, context):
        if old.modifiers == new.modifiers and bool(old.dimensions) == bool(new.dimensions):
            return "none"
        if bool(old.dimensions) and bool(new.dimensions):
            return "rewrite"  # arrays are converted member by member
    new_domain = subjects.domain(context, new)
    old_domain = subjects.domain(context, old)
    if new_domain is UNKNOWN or old_domain is UNKNOWN:
        return UNKNOWN
    if isinstance(new_domain, Domain):
        return _to_domain(old, new_domain, context)
    depth = 0
    while isinstance(old_domain, Domain):
        # The domain's base comes without its length: going to the same length is enforced row by row again.
        old, depth = replace(old_domain.type, modifiers=()), depth + 1
        old_domain = subjects.domain(context, old)
        if old_domain is UNKNOWN or depth > _DEEPEST:
            return UNKNOWN
    return _base_cost(old, new, context)


def _to_domain(old: Type, domain: Domain, context: Context) -> str | Unknown:
    cost, enforces = conversion_cost(old, domain.type, context), _enforces(domain, context)
    if cost == "refused" or enforces is False:
        return cost
    # What the domain asks for is looked at in each row, even when a domain below it asked for it before.
    return "rewrite" if enforces is True or cost == "rewrite" else UNKNOWN


def _enforces(domain: Domain, context: Context) -> bool | Unknown:
    """Whether the domain, or one that it stands on, has constraints."""
    found: Domain | Unknown | None = domain
    for _ in range(_DEEPEST):
        if not isinstance(found, Domain):
            return UNKNOWN if found is UNKNOWN else False
        if found.not_null or found.constraints:
            return True
        found = subjects.domain(context, found.type)
    return UNKNOWN


def _base_cost(old: Type, new: Type, context: Context) -> str | Unknown:
    if old.dimensions or new.dimensions:
        return _array_cost(old, new, context)
    source, target = _internal(old), _internal(new)
    if source is None or target is None:
        return _foreign_cost(old, new, context)
    if source == target:
        return _length_cost(target, old.modifiers, new.modifiers)
    if {source, target} == {"timestamp", "timestamptz"}:
        return _zone_cost(new, context)
    casts = _casts(source)
    if target not in casts:
        return "rewrite" if target in _TEXTS else "refused"
    if not casts[target]:
        return "rewrite"
    # Relabelling forgets the old length, so a new one has to be enforced row by row.
    if _length_cost(target, (), new.modifiers) == "rewrite":
        return "rewrite"
    return "none" if {source, target} in _SAME_INDEX else "index_rebuild"


def _array_cost(old: Type, new: Type, context: Context) -> str | Unknown:
    if old.dimensions and new.dimensions:
        if _qualified(old, context) == _qualified(new, context) and old.modifiers == new.modifiers:
            return "none"
        member = conversion_cost(replace(old, dimensions=0), replace(new, dimensions=0), context)
        return member if member is UNKNOWN or member == "refused" else "rewrite"
    if not new.dimensions and _internal(new) is None:
        return UNKNOWN
    return "rewrite" if _internal(new) in _TEXTS and not new.dimensions else "refused"


def _foreign_cost(old: Type, new: Type, context: Context) -> str | Unknown:
    """One of the two is a user's or an extension's type."""
    cast = _listed_cast(old, new, context)
    if cast is not None:
        return cast
    known_old, known_new = _known(old, context), _known(new, context)
    if known_old and _internal(new) in _TEXTS:
        return "rewrite"
    if known_old and known_new:
        return "refused"
    return UNKNOWN


def _listed_cast(old: Type, new: Type, context: Context) -> str | None:
    """The cost where the catalog knows all casts between user types; None where it does not, or within one type."""
    catalog = context.catalog
    source, target = (catalog.resolve_type(each.name, context.session.search_path) for each in (old, new))
    if not catalog.closed or source == target:
        return None
    found = catalog.others.get(str(Identity("cast", (f"{source} AS {target}",))))
    if not isinstance(found, Other):
        # Values of any type become text in an assignment, as they are printed.
        return "rewrite" if _internal(new) in _TEXTS else None
    how = dict(found.attributes)
    if how.get("context") == "e":
        return "refused"
    return "rewrite" if how.get("method") != "b" or new.modifiers else "index_rebuild"


def _known(type_: Type, context: Context) -> bool:
    """Whether it is built in, an enum or a row type: nobody made a cast for it that we do not know."""
    if _internal(type_) is not None:
        return True
    name = _qualified(type_, context)
    return isinstance(context.catalog.types.get(name), EnumType) or isinstance(
        context.catalog.relations.get(name), (CompositeType, Table)
    )


def _zone_cost(new: Type, context: Context) -> str | Unknown:
    """Timestamp <-> timestamptz: the bytes stay when the session's zone is UTC."""
    if new.modifiers and new.modifiers != ("6",):
        return "rewrite"
    setting = context.session.setting("timezone")
    if setting is None or setting.value is None:
        return UNKNOWN
    zone = setting.value.strip("'\" ").lower().removeprefix("etc/")
    return "index_rebuild" if zone in _UTC else "rewrite"


def _length_cost(name: str, old: tuple[str, ...], new: tuple[str, ...]) -> str | Unknown:
    """The cost of going from one length, precision or scale to another within one type."""
    if old == new:
        return "none"
    if not new:
        return "none"
    if name in ("bpchar", "bit"):
        return "rewrite"
    try:
        before, after = [int(part) for part in old], [int(part) for part in new]
    except ValueError:
        return UNKNOWN
    if name == "numeric":
        grows = bool(before) and _scale(before) == _scale(after) and after[0] >= before[0]
    elif name == "interval":
        grows = _interval_grows(before, after)
    elif name in ("timestamp", "timestamptz", "time", "timetz"):
        grows = after[0] >= 6 or (bool(before) and after[0] >= before[0])
    elif name in ("varchar", "varbit"):
        grows = bool(before) and after[0] >= before[0]
    else:
        return UNKNOWN
    return "none" if grows else "rewrite"


#: Fields of an interval type, as the bits of its first modifier, smallest unit first; all of them is 32767.
_INTERVAL_FIELDS = (4096, 2048, 1024, 8, 2, 4)


def _interval_grows(before: list[int], after: list[int]) -> bool:
    """Whether no value loses a field or digits: modifiers are the fields and, perhaps, the digits of seconds."""
    old_least, new_least = _least_field(before), _least_field(after)
    old_digits, new_digits = (each[1] if len(each) > 1 else 6 for each in (before, after))
    return new_least <= old_least and (old_least > 0 or new_digits >= 6 or new_digits >= old_digits)


def _least_field(modifiers: list[int]) -> int:
    fields = modifiers[0] if modifiers else 32767
    return next((place for place, bit in enumerate(_INTERVAL_FIELDS) if fields & bit), 0)


def _scale(modifiers: list[int]) -> int:
    return modifiers[1] if len(modifiers) > 1 else 0


def _internal(type_: Type) -> str | None:
    """The internal name of a built-in type, or of citext wherever it was installed; None for others."""
    schema, name = type_.name
    if schema == "pg_catalog" or name == "citext":
        return name
    return None


def _qualified(type_: Type, context: Context) -> Name:
    return context.catalog.resolve_type(type_.name, context.session.search_path)


def _casts(source: str) -> dict[str, bool]:
    """The types an assignment converts ``source`` to; True where that only relabels."""
    for line in _CASTS.splitlines():
        name, _, targets = line.partition(":")
        if name == source:
            return {target.rstrip("="): target.endswith("=") for target in targets.split()}
    return {}
