"""Parts of statements: names, types, options, constraints and indexes, as SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from dflint.facts.type_names import spell
from dflint.model.catalog import Index
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.schema import Constraint, IndexElement, Options, SequenceOptions

#: What statements call each kind of object.
WORDS: Final = {
    "access_method": "ACCESS METHOD",
    "event_trigger": "EVENT TRIGGER",
    "fdw": "FOREIGN DATA WRAPPER",
    "foreign_table": "FOREIGN TABLE",
    "materialized_view": "MATERIALIZED VIEW",
    "operator_class": "OPERATOR CLASS",
    "operator_family": "OPERATOR FAMILY",
    "text_search_configuration": "TEXT SEARCH CONFIGURATION",
    "text_search_dictionary": "TEXT SEARCH DICTIONARY",
    "text_search_parser": "TEXT SEARCH PARSER",
    "text_search_template": "TEXT SEARCH TEMPLATE",
    **{
        kind: kind.upper()
        for kind in """aggregate cast collation constraint conversion database domain extension function index language
        operator policy procedure publication role routine rule schema sequence server statistics subscription table
        tablespace transform trigger type view column""".split()
    },
}

_ACTIONS: Final = {
    "no_action": "",
    "restrict": "RESTRICT",
    "cascade": "CASCADE",
    "set_null": "SET NULL",
    "set_default": "SET DEFAULT",
}


def quoted(name: Name) -> str:
    """A name as SQL."""
    own = quote_identifier(name.name)
    return own if name.schema is None else f"{quote_identifier(name.schema)}.{own}"


def columns(names: Iterable[str]) -> str:
    """A list of columns in parentheses."""
    return f"({', '.join(map(quote_identifier, names))})"


def type_sql(kind: Type) -> str:
    """A type as SQL."""
    if kind.name.schema in (None, "pg_catalog") or kind.reference:
        return spell(kind)
    modifiers = f"({','.join(kind.modifiers)})" if kind.modifiers else ""
    return f"{'SETOF ' if kind.setof else ''}{quoted(kind.name)}{modifiers}{'[]' * kind.dimensions}"


def options_sql(options: Options) -> str:
    """Storage parameters in parentheses."""
    listed = [f"{option(name)} = {quote_literal(value or 'true').strip()}" for name, value in options]
    return f"({', '.join(listed)})"


def option(name: str) -> str:
    """The name of an option, such as ``toast.autovacuum_enabled``."""
    return ".".join(map(quote_identifier, name.split(".")))


#: Functions in the place of a value that take no precision.
_VALUES: Final = frozenset(
    "current_date current_user session_user current_role current_catalog current_schema user".split()
)


def expression_sql(expr: Expr | None) -> str | None:
    """An expression as SQL, where its tree says all of it: constants, casts of them, and calls with such arguments."""
    if expr is None:
        return None
    if expr.kind == "null":
        return "NULL"
    if expr.kind == "constant":
        return _constant(expr)
    if expr.kind == "value_function" and expr.name is not None and expr.name.name in _VALUES:
        return expr.name.name.upper()
    arguments = [expression_sql(each) for each in expr.args]
    if any(each is None for each in arguments):
        return None
    listed = ", ".join(each for each in arguments if each is not None)
    if expr.kind == "cast" and expr.type is not None and expr.args[0].kind in ("constant", "null"):
        return f"CAST({listed} AS {type_sql(expr.type)})"
    if expr.kind == "function" and expr.name is not None:
        return f"{quoted(expr.name)}({listed})"
    return None


def _constant(expr: Expr) -> str | None:
    if isinstance(expr.value, bool):
        return "true" if expr.value else "false"
    if expr.value is None or (expr.name is not None and expr.name.name != "number"):
        return None
    return str(expr.value) if expr.name is not None else quote_literal(str(expr.value)).strip()


def constraint_sql(constraint: Constraint, index: Index | None, definition: str | None) -> str | None:
    """A constraint without its name; None where not all of it is known.

    Args:
        index: behind a key.
        definition: how the server prints it.
    """
    if constraint.kind == "foreign_key":
        return _foreign_key(constraint)
    if constraint.kind in ("primary_key", "unique"):
        return _key(constraint, index)
    if constraint.kind == "not_null":
        tail = (" NO INHERIT" if constraint.no_inherit else "") + ("" if constraint.validated else " NOT VALID")
        return f"NOT NULL {quote_identifier(constraint.columns[0])}{tail}" if constraint.columns else None
    if constraint.kind == "exclusion" and index is not None and (index.options or index.tablespace):
        return None
    return definition


def _foreign_key(constraint: Constraint) -> str | None:
    if constraint.references is None or "?" in constraint.columns:
        return None
    own, theirs = (
        list(map(quote_identifier, constraint.columns)),
        list(map(quote_identifier, constraint.referenced_columns)),
    )
    if constraint.without_overlaps:
        own[-1], theirs[-1:] = f"PERIOD {own[-1]}", [f"PERIOD {each}" for each in theirs[-1:]]
    words = [f"FOREIGN KEY ({', '.join(own)}) REFERENCES {quoted(constraint.references)}"]
    if theirs:
        words.append(f"({', '.join(theirs)})")
    if constraint.match != "simple":
        words.append(f"MATCH {constraint.match.upper()}")
    for event, action in (("UPDATE", constraint.on_update), ("DELETE", constraint.on_delete)):
        if _ACTIONS[action]:
            words.append(f"ON {event} {_ACTIONS[action]}")
    if constraint.set_columns:
        words.append(columns(constraint.set_columns))
    return " ".join([*words, *_deferring(constraint), *_state(constraint)])


def _key(constraint: Constraint, index: Index | None) -> str | None:
    if index is None or "?" in constraint.columns or not constraint.columns:
        return None
    words = ["PRIMARY KEY" if constraint.kind == "primary_key" else "UNIQUE"]
    if constraint.nulls_not_distinct or index.nulls_not_distinct:
        words.append("NULLS NOT DISTINCT")
    names = list(map(quote_identifier, constraint.columns))
    if constraint.without_overlaps:
        names[-1] += " WITHOUT OVERLAPS"
    words.append(f"({', '.join(names)})")
    if constraint.include or index.include:
        words.append(f"INCLUDE {columns(constraint.include or index.include)}")
    if index.options:
        words.append(f"WITH {options_sql(index.options)}")
    if index.tablespace:
        words.append(f"USING INDEX TABLESPACE {quote_identifier(index.tablespace)}")
    return " ".join([*words, *_deferring(constraint)])


def _deferring(constraint: Constraint) -> list[str]:
    words = ["DEFERRABLE"] if constraint.deferrable else []
    return [*words, "INITIALLY DEFERRED"] if constraint.initially_deferred else words


def _state(constraint: Constraint) -> list[str]:
    if not constraint.enforced:
        return ["NOT ENFORCED"]
    return [] if constraint.validated else ["NOT VALID"]


def index_sql(index: Index, definition: str | None) -> str | None:
    """CREATE INDEX without CONCURRENTLY; None where not all of it is known.

    Args:
        definition: how the server prints it.
    """
    if definition is not None:
        return definition
    elements = [_element(element) for element in index.elements]
    if not elements or index.where is not None or any(element is None for element in elements):
        return None
    words = [f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quote_identifier(index.name.name)} ON"]
    words.append(f"{quoted(index.table)} USING {quote_identifier(index.method)}")
    words.append(f"({', '.join(element for element in elements if element is not None)})")
    if index.include:
        words.append(f"INCLUDE {columns(index.include)}")
    if index.nulls_not_distinct:
        words.append("NULLS NOT DISTINCT")
    if index.options:
        words.append(f"WITH {options_sql(index.options)}")
    return " ".join(words)


def _element(element: IndexElement) -> str | None:
    if element.column is None or element.operator_class_options or element.column == "?":
        return None
    words = [quote_identifier(element.column)]
    if element.collation is not None:
        words.append(f"COLLATE {quoted(element.collation)}")
    if element.operator_class is not None:
        words.append(quoted(element.operator_class))
    if element.descending:
        words.append("DESC")
    if element.nulls_first is not None:
        words.append("NULLS FIRST" if element.nulls_first else "NULLS LAST")
    return " ".join(words)


def sequence_sql(options: SequenceOptions) -> str:
    """What ALTER SEQUENCE sets, all of it, as far as it is said; what is not, to its default."""
    words = [] if options.type is None else [f"AS {type_sql(options.type)}"]
    words.append(f"INCREMENT BY {options.increment or 1}")
    words.append("NO MINVALUE" if options.minimum is None else f"MINVALUE {options.minimum}")
    words.append("NO MAXVALUE" if options.maximum is None else f"MAXVALUE {options.maximum}")
    if options.start is not None:
        words.append(f"START WITH {options.start}")
    words.append(f"CACHE {options.cache or 1}")
    words.append("CYCLE" if options.cycle else "NO CYCLE")
    return " ".join(words)


def object_sql(
    kind: str, name: Name | None, *, arguments: Sequence[Type] | None = None, on: Name | None = None, detail: str = ""
) -> str:
    """An object as statements name it, without the word for its kind."""
    if kind in ("cast",):
        return f"({detail})"
    if kind == "transform":
        return f"FOR {detail}"
    assert name is not None
    if kind in ("trigger", "rule", "policy") and on is not None:
        return f"{quote_identifier(name.name)} ON {quoted(on)}"
    if kind in ("operator_class", "operator_family"):
        return f"{quoted(name)} USING {quote_identifier(detail)}"
    if kind == "user_mapping":
        return f"FOR {role_sql(name.name)} SERVER {quote_identifier(detail)}"
    listed = None if arguments is None else f"({', '.join(map(type_sql, arguments))})"
    if kind == "operator":
        schema = "" if name.schema is None else f"{quote_identifier(name.schema)}."
        return f"{schema}{name.name}{listed or ''}"
    return quoted(name) + (listed or "")


#: Words in the place of a role's name.
_ROLES: Final = frozenset({"public", "current_user", "current_role", "session_user"})


def role_sql(name: str) -> str:
    """A role as SQL; ``public`` and its like as the keywords they are."""
    return name.upper() if name in _ROLES else quote_identifier(name)
