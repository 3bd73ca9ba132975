"""Columns: what ADD COLUMN and the many ALTER COLUMN change."""

from __future__ import annotations

from typing import Final

from dflint.model.catalog import Catalog, Sequence, Table
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.objects import RenameColumn
from dflint.model.operations.tables import (
    AddColumn,
    AddIdentity,
    AlterColumnType,
    AlterTableOperation,
    ColumnOperation,
    DropColumn,
    DropColumnDefault,
    DropGenerationExpression,
    DropIdentity,
    DropNotNull,
    SetColumnCompression,
    SetColumnDefault,
    SetColumnOptions,
    SetColumnStatistics,
    SetColumnStorage,
    SetGenerationExpression,
    SetIdentity,
    SetNotNull,
)
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.schema import Column, Options
from dflint.planning.undo.before import Before, Irreversible, Nothing
from dflint.planning.undo.spelling import WORDS, expression_sql, option, options_sql, quoted, sequence_sql, type_sql

_INTEGERS: Final = {"int2": 2, "int4": 4, "int8": 8}
_TEXTS: Final = frozenset({"text", "varchar"})
_MAIN: Final = frozenset({"numeric", "inet", "cidr"})
_EXTENDED: Final = frozenset(
    "text varchar bpchar bytea json jsonb xml tsvector tsquery bit varbit path polygon hstore".split()
)


def alter(before: Before, operation: AlterTableOperation) -> str:
    """``ALTER TABLE t``, as the operation says it."""
    only = "ONLY " if operation.only else ""
    return f"ALTER {WORDS[operation.object_kind]} {only}{quoted(before.resolve(operation.target))}"


def alter_column(before: Before, operation: ColumnOperation) -> str:
    """``ALTER TABLE t ALTER COLUMN c``."""
    name = operation.column if operation.column.isdecimal() else quote_identifier(operation.column)
    return f"{alter(before, operation)} ALTER COLUMN {name}"


def _column(before: Before, operation: ColumnOperation) -> Column:
    return before.column(operation.target, operation.column)


def add_column(before: Before, operation: AddColumn) -> list[str]:
    """ADD COLUMN."""
    name = operation.column.name
    found = before.catalog.relations.get(before.resolve(operation.target))
    known = found.column(name) if isinstance(found, Table) else None
    if isinstance(known, Column):
        raise Nothing
    if operation.missing_ok and not (isinstance(found, Table) and found.complete):
        raise Irreversible(f"the catalog does not say whether column {name} existed before")
    for child in before.descendants(before.resolve(operation.target)):
        theirs = before.catalog.relations.get(child)
        if isinstance(theirs, Table) and isinstance(theirs.column(name), Column):
            raise Irreversible(f"{child} had a column {name} of its own, which became one with the new one")
    return [f"{alter(before, operation)} DROP COLUMN {quote_identifier(name)}"]


def drop_column(before: Before, operation: DropColumn) -> list[str]:
    """DROP COLUMN."""
    if operation.missing_ok:
        before.column(operation.target, operation.column)
    raise Irreversible(f"the values of column {operation.column} are lost")


def rename_column(before: Before, operation: RenameColumn) -> list[str]:
    """RENAME COLUMN."""
    if operation.object_kind == "type":
        name, word = before.resolve_type(operation.target), "ATTRIBUTE"
    else:
        if operation.if_exists:
            before.relation(operation.target)
        name, word = before.resolve(operation.target), "COLUMN"
    only = "ONLY " if operation.only else ""
    tail = " CASCADE" if operation.cascade else ""
    new, old = quote_identifier(operation.new_name), quote_identifier(operation.column)
    return [f"ALTER {WORDS[operation.object_kind]} {only}{quoted(name)} RENAME {word} {new} TO {old}{tail}"]


# --- types ------------------------------------------------------------------------------------------------------------


def alter_type(before: Before, operation: AlterColumnType) -> list[str]:
    """ALTER COLUMN … TYPE, where no value changes on the way there, and none can on the way back."""
    column = _column(before, operation)
    old, new = column.type, operation.type
    if old is None:
        raise Irreversible(f"the catalog does not say of which type column {column.name} was")
    if operation.using is not None:
        raise Irreversible(f"what USING made of the values of column {column.name} cannot be told back")
    if not _lossless(old, new):
        raise Irreversible(
            f"values of column {column.name} may be changed by {type_sql(new)}, or on the way back to {type_sql(old)}"
        )
    where = alter_column(before, operation)
    collation = "" if column.collation is None else f" COLLATE {quoted(column.collation)}"
    sql = [f"{where} TYPE {type_sql(old)}{collation}"]
    if column.default is not None:
        sql.append(f"{where} SET DEFAULT {_default(before, operation.target, column)}")
    if column.storage is not None:
        sql.append(f"{where} SET STORAGE {column.storage.upper()}")
    if column.compression is not None and before.version >= 14:
        sql.append(f"{where} SET COMPRESSION {column.compression}")
    return sql


def _lossless(old: Type, new: Type) -> bool:
    """Whether PostgreSQL refuses a value rather than change it, both ways."""
    if old.dimensions or new.dimensions or {old.name.schema, new.name.schema} - {"pg_catalog", None}:
        return old == new
    one, other = old.name.name, new.name.name
    if one in _INTEGERS and other in _INTEGERS:
        return True
    if one in _TEXTS and other in _TEXTS:
        return not _shorter(new, old)
    if one == other == "numeric":
        return _numeric_wider(old, new)
    return old == new


def _shorter(one: Type, other: Type) -> bool:
    """Whether a type takes fewer characters than another: blanks beyond its length are cut off in silence."""
    if not one.modifiers:
        return False
    return not other.modifiers or int(one.modifiers[0]) < int(other.modifiers[0])


def _numeric_wider(old: Type, new: Type) -> bool:
    """The same scale: with another one values are rounded."""
    if not old.modifiers or not new.modifiers:
        return False
    (one, *scale), (other, *new_scale) = old.modifiers, new.modifiers
    return int(other) >= int(one) and (scale or ["0"]) == (new_scale or ["0"])


# --- defaults and expressions -----------------------------------------------------------------------------------------


def _default(before: Before, target: Name, column: Column) -> str:
    relation = before.resolve(target)
    found = before.definition("default", (*relation, column.name))
    found = found if found is not None else expression_sql(column.default)
    if found is None:
        raise Irreversible(f"the catalog does not say exactly what the default of column {column.name} was")
    return found


def change_default(before: Before, operation: SetColumnDefault | DropColumnDefault) -> list[str]:
    """SET DEFAULT and DROP DEFAULT."""
    column, where = _column(before, operation), alter_column(before, operation)
    if column.default is None:
        return [] if isinstance(operation, DropColumnDefault) else [f"{where} DROP DEFAULT"]
    return [f"{where} SET DEFAULT {_default(before, operation.target, column)}"]


def set_expression(before: Before, operation: SetGenerationExpression) -> list[str]:
    """SET EXPRESSION."""
    column = _column(before, operation)
    found = before.definition("default", (*before.resolve(operation.target), column.name))
    if found is None:
        raise Irreversible(f"the catalog does not say exactly how column {column.name} was generated")
    return [f"{alter_column(before, operation)} SET EXPRESSION AS ({found})"]


def drop_expression(before: Before, operation: DropGenerationExpression) -> list[str]:
    """DROP EXPRESSION."""
    column = _column(before, operation)
    if not column.generation:
        raise Nothing
    raise Irreversible("PostgreSQL cannot make an existing column a generated one")


# --- NOT NULL and identity --------------------------------------------------------------------------------------------


def set_not_null(before: Before, operation: SetNotNull) -> list[str]:
    """SET NOT NULL."""
    column = _column(before, operation)
    table = before.relation(operation.target)
    unproven = [
        each
        for each in getattr(table, "constraints", ())
        if each.kind == "not_null" and each.columns == (column.name,) and not each.validated
    ]
    if unproven:
        raise Irreversible("a NOT NULL constraint that is validated cannot be made NOT VALID again")
    _refuse_mixed(before, operation, lambda each: each.not_null)
    return [] if column.not_null else [f"{alter_column(before, operation)} DROP NOT NULL"]


def drop_not_null(before: Before, operation: DropNotNull) -> list[str]:
    """DROP NOT NULL. From PostgreSQL 18 on it drops a constraint, which has a name."""
    column = _column(before, operation)
    if not column.not_null:
        raise Nothing
    _refuse_mixed(before, operation, lambda each: not each.not_null)
    table = before.relation(operation.target)
    for constraint in getattr(table, "constraints", ()):
        if before.version >= 18 and constraint.kind == "not_null" and constraint.columns == (column.name,):
            tail = " NO INHERIT" if constraint.no_inherit else ""
            tail += "" if constraint.validated else " NOT VALID"
            name = quote_identifier(constraint.name or "")
            where = alter(before, operation)
            return [f"{where} ADD CONSTRAINT {name} NOT NULL {quote_identifier(column.name)}{tail}"]
    return [f"{alter_column(before, operation)} SET NOT NULL"]


def _refuse_mixed(before: Before, operation: ColumnOperation, is_so_already: object) -> None:
    """Refuse where children were otherwise than their parent: the way back would change them too."""
    assert callable(is_so_already)
    for child in before.descendants(before.resolve(operation.target)):
        table = before.catalog.relations.get(child)
        theirs = table.column(operation.column) if isinstance(table, Table) else None
        own = before.column(operation.target, operation.column)
        if isinstance(theirs, Column) and is_so_already(theirs) != is_so_already(own):
            raise Irreversible(f"column {operation.column} of {child} was not like that of its parent")


def add_identity(before: Before, operation: AddIdentity) -> list[str]:
    """ADD GENERATED … AS IDENTITY."""
    if _column(before, operation).identity:
        raise Nothing
    return [f"{alter_column(before, operation)} DROP IDENTITY"]


def drop_identity(before: Before, operation: DropIdentity) -> list[str]:
    """DROP IDENTITY."""
    if not _column(before, operation).identity:
        raise Nothing
    raise Irreversible(f"the catalog does not say which number the sequence of column {operation.column} had reached")


def set_identity(before: Before, operation: SetIdentity) -> list[str]:
    """SET GENERATED, and options of the sequence behind."""
    column = _column(before, operation)
    if operation.options is not None and operation.options.restart is not None:
        raise Irreversible(f"the catalog does not say which number the sequence of column {column.name} had reached")
    sql = []
    if operation.identity:
        sql.append(f"{alter_column(before, operation)} SET GENERATED {_GENERATED[column.identity or 'always']}")
    if operation.options is not None:
        sequence = _owned_sequence(before.catalog, before.resolve(operation.target), column.name)
        sql.append(f"ALTER SEQUENCE {quoted(sequence.name)} {sequence_sql(sequence.options)}")
    return sql


_GENERATED: Final = {"always": "ALWAYS", "default": "BY DEFAULT"}


def _owned_sequence(catalog: Catalog, table: Name, column: str) -> Sequence:
    for relation in catalog.relations.values():
        if isinstance(relation, Sequence) and (relation.owner_table, relation.owner_column) == (table, column):
            return relation
    raise Irreversible(f"the catalog does not say what the options of the sequence of column {column} were")


# --- the rest ---------------------------------------------------------------------------------------------------------


def set_statistics(before: Before, operation: SetColumnStatistics) -> list[str]:
    """SET STATISTICS."""
    if operation.column.isdecimal():
        raise Irreversible("the catalog does not say what the statistics target of an index's column was")
    column = _column(before, operation)
    target = -1 if column.statistics is None else column.statistics
    return [f"{alter_column(before, operation)} SET STATISTICS {target}"]


def set_storage(before: Before, operation: SetColumnStorage) -> list[str]:
    """SET STORAGE."""
    column = _column(before, operation)
    storage = column.storage or ("DEFAULT" if before.version >= 16 else _usual_storage(column))
    return [f"{alter_column(before, operation)} SET STORAGE {storage.upper()}"]


def _usual_storage(column: Column) -> str:
    kind = column.type
    if kind is not None and (kind.dimensions or kind.name.name in _EXTENDED):
        return "EXTENDED"
    if kind is not None and kind.name.name in _MAIN:
        return "MAIN"
    raise Irreversible(f"the catalog does not say how the type of column {column.name} is usually stored")


def set_compression(before: Before, operation: SetColumnCompression) -> list[str]:
    """SET COMPRESSION."""
    method = _column(before, operation).compression or "default"
    return [f"{alter_column(before, operation)} SET COMPRESSION {method}"]


def set_options(before: Before, operation: SetColumnOptions) -> list[str]:
    """SET (…), RESET (…) and OPTIONS (…)."""
    column = _column(before, operation)
    if operation.foreign:
        raise Irreversible("the catalog does not say which options of a foreign column were set")
    return restored_options(alter_column(before, operation), column.options, operation.options)


def restored_options(where: str, had: Options, changed: Options) -> list[str]:
    """Back to the options that were set before."""
    names = dict.fromkeys(name for name, _ in changed)
    old = [(name, value) for name, value in had if name in names]
    new = [name for name in names if name not in dict(had)]
    sql = [f"{where} SET {options_sql(tuple(old))}"] if old else []
    if new:
        sql.append(f"{where} RESET ({', '.join(map(option, new))})")
    return sql


def foreign_options(where: str, had: Options, changed: Options) -> list[str]:
    """Back to the options of a foreign table; those changed are written ``ADD name 'value'`` by the server."""
    words = []
    now = {name for name, _ in had}
    for name in dict.fromkeys(name for name, _ in changed):
        if name in now:
            words.append(f"SET {quote_identifier(name)} {quote_literal(dict(had)[name] or '').strip()}")
        else:
            words.append(f"DROP {quote_identifier(name)}")
    return [f"{where} OPTIONS ({', '.join(words)})"]
