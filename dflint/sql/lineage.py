"""Which columns of tables and views feed which output column of a query, through sqlglot.

What sqlglot cannot read, or reads otherwise than PostgreSQL's own name rules do, is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from dflint.model.catalog import Catalog, Table, View
from dflint.model.names import Name
from dflint.sql.parse import Parser
from dflint.sql.references import query_references

if TYPE_CHECKING:
    from sqlglot.lineage import Node

#: A column of a relation: the relation, and the column's name.
BaseColumn = tuple[Name, str]


class Lineage(Struct, frozen=True):
    """Where the output columns of a query come from.

    Attributes:
        columns: output column -> the columns whose values it is computed from, sorted; None where that is unknown.
            What only decides which rows there are (WHERE, JOIN … ON) feeds none.
        reason: why some are unknown; "" where none is.
    """

    columns: dict[str, tuple[BaseColumn, ...] | None]
    reason: str = ""


def query_lineage(
    sql: str, outputs: Iterable[str], catalog: Catalog, search_path: tuple[str, ...], parser: Parser
) -> Lineage:
    """The lineage of a query, such as that of a view.

    Args:
        sql: the query.
        outputs: its output columns, as the server calls them, in order.
        search_path: for names without a schema.
    """
    names = tuple(outputs)
    read = query_references(sql, catalog, search_path, parser)
    if read.unreadable is not None:
        return Lineage(dict.fromkeys(names), read.unreadable)
    known = {(Name(each.schema, each.name), each.column) for each in read.references if each.kind == "column"}
    relations = {Name(each.schema, each.name) for each in read.references if each.kind == "relation"}
    try:
        found = _traced(sql, catalog, relations | {name for name, _ in known}, search_path)
    except Exception as error:  # noqa: BLE001  # sqlglot has no common error; whatever it says, the answer is unknown.
        return Lineage(dict.fromkeys(names), f"sqlglot: {str(error).splitlines()[0] if str(error) else error!r}")
    if len(found) != len(names):
        return Lineage(dict.fromkeys(names), "sqlglot finds another number of columns")
    columns: dict[str, tuple[BaseColumn, ...] | None] = {}
    reason = ""
    for name, bases in zip(names, found, strict=True):
        if bases is None or not bases <= known:
            reason = reason or f"where column {name} comes from is not known"
            columns[name] = None
        else:
            columns[name] = tuple(sorted(bases))
    return Lineage(columns, reason)


def _traced(
    sql: str, catalog: Catalog, relations: Iterable[Name], path: tuple[str, ...]
) -> list[set[BaseColumn] | None]:
    """For each output column the columns that feed it, None where that cannot be told."""
    from sqlglot import MappingSchema, exp, parse_one
    from sqlglot.lineage import to_node
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    shapes: dict[str, Any] = {}
    for name in relations:
        relation = catalog.relations.get(name)
        columns = (relation.columns if isinstance(relation, Table | View) else None) or ()
        shapes.setdefault(name.schema or "", {})[name.name] = {column.name: "unknown" for column in columns}
    schema = MappingSchema(shapes, dialect="postgres", normalize=False)
    tree = _with_schemas(parse_one(sql, read="postgres"), set(relations), catalog, path)
    tree = qualify(tree, dialect="postgres", schema=schema, quote_identifiers=False, identify=False)
    scope = build_scope(tree)
    if scope is None or not isinstance(scope.expression, exp.Query):
        raise ValueError("no query")
    return [
        _bases(to_node(position, scope, "postgres", schema), catalog)
        for position in range(len(scope.expression.named_selects))
    ]


def _with_schemas(tree: Any, relations: set[Name], catalog: Catalog, path: tuple[str, ...]) -> Any:
    """The tree with the schema of each relation that it names without one; names of WITH stay."""
    from sqlglot import exp

    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not table.db and isinstance(table.this, exp.Identifier):
            written = table.name if table.this.quoted else table.name.lower()
            name = catalog.resolve(Name(None, written), path)
            if written in inner:
                if name in relations:
                    raise ValueError(f"{written} is both a relation and a name of WITH")
            elif name in relations and name.schema is not None:
                table.set("db", exp.to_identifier(name.schema, quoted=True))
                if not table.alias:
                    table.set("alias", exp.TableAlias(this=exp.to_identifier(written, quoted=True)))
    return tree


def _bases(node: Node, catalog: Catalog) -> set[BaseColumn] | None:
    """The columns at the ends of a tree of lineage."""
    from sqlglot import exp

    found: set[BaseColumn] = set()
    for each in node.walk():
        if not isinstance(each.expression, exp.Table) and each.expression.find(exp.TableColumn) is not None:
            # A whole row, by the name of its table.
            return None
        if isinstance(each.source, exp.Lateral) and isinstance(each.source.this, exp.Subquery):
            # sqlglot does not tell the subquery's columns apart.
            return None
        if each.downstream:
            continue
        source = each.source
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            relation = Name(source.db or None, source.name)
            shape = catalog.relations.get(relation)
            columns = {column.name for column in (shape.columns or ())} if isinstance(shape, Table | View) else set()
            column = _column_of(each)
            if column == "*":
                found |= {(relation, name) for name in columns}
            elif column in columns:
                found.add((relation, column))
            else:
                return None
        elif isinstance(source, exp.Placeholder):
            # The turn before of a recursive query: what feeds it is found with its first part.
            continue
        elif _names_columns(each.expression) or _names_columns(source):
            return None
    return found


def _column_of(node: Node) -> str:
    """The column of a relation that a leaf names; ``*`` for all."""
    from sqlglot import exp, parse_one

    column = parse_one(node.name, read="postgres")
    return column.name if isinstance(column, exp.Column) else node.name


def _names_columns(tree: Any) -> bool:
    from sqlglot import exp

    return isinstance(tree, exp.Column) or tree.find(exp.Column) is not None
