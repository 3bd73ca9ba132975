"""Queries: which relations they read and write, which functions they call.

One walk over the parse tree, without recursion, so that the depth of an expression is no limit here. What the walk
knows of node types is in `query_fields`; the output columns of a query are found by `output_columns`.
"""

from __future__ import annotations

from typing import Final

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.schema import Query
from dflint.sql.build.nodes import Node, Unread, claim, column_name, qualified, relation, single, string
from dflint.sql.build.query_fields import COMMON_TABLE_EXPR, FIELDS, WITH_CLAUSE

#: A node to visit: its type, its content, and the WITH names in scope.
_Pending = list[tuple[str, Node, frozenset[str]]]
_NO_NAMES: Final[frozenset[str]] = frozenset()


class _Found:
    """What a walk has found so far; dictionaries as sets that keep the order."""

    __slots__ = ("columns", "functions", "locks_rows", "natural", "reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[Name, None] = {}
        self.functions: dict[Name, None] = {}
        self.writes: dict[Name, None] = {}
        self.columns: dict[Name, None] = {}
        self.locks_rows = False
        self.natural = False


def query(node: Node) -> Query:
    """What a wrapped ``SelectStmt`` reads, writes and calls, and its output columns.

    Raises:
        Unread: it holds something unknown.
    """
    from dflint.sql.build.output_columns import output_columns

    found = _walk(node)
    # Which columns NATURAL JOIN compares, the text does not say.
    named = None if found.natural else tuple(dict.fromkeys(name.name for name in found.columns))
    return Query(
        tuple(found.reads),
        output_columns(node),
        tuple(found.functions),
        tuple(found.writes),
        found.locks_rows,
        named,
    )


def contents(node: Node) -> Query:
    """The same as `query` without output columns, for any wrapped expression, query or data-changing statement.

    The target of an INSERT, UPDATE, DELETE or MERGE is among the ``writes``, not among the ``reads``.
    """
    found = _walk(node)
    return Query(tuple(found.reads), (), tuple(found.functions), tuple(found.writes), found.locks_rows)


def reads(node: Node) -> tuple[Name, ...]:
    """The relations that a wrapped statement or expression reads: FROM, USING, subqueries and WITH included."""
    return tuple(_walk(node).reads)


def mentions(node: Node) -> tuple[Expr, ...]:
    """The columns and functions a wrapped node names, and one ``subquery`` for the relations it reads, if any."""
    found = _walk(node)
    exprs = [Expr("column", name=name) for name in found.columns]
    exprs += [Expr("function", name=name) for name in found.functions]
    if found.reads:
        exprs.append(Expr("subquery", reads=tuple(found.reads)))
    return tuple(exprs)


def _walk(node: Node) -> _Found:
    found = _Found()
    kind, content = single(node)
    pending: _Pending = [(kind, content, _NO_NAMES)]
    while pending:
        kind, content, names = pending.pop()
        fields = FIELDS.get(kind)
        if fields is None:
            raise Unread(f"{kind} in a query")
        known, followed = fields
        if not content.keys() <= known:
            claim(content, known)
        if kind == "RangeVar":
            # Only a name without schema can be that of a WITH query.
            if "schemaname" in content or content["relname"] not in names:
                found.reads[relation(content)] = None
            continue
        if kind == "FuncCall":
            found.functions[qualified(content["funcname"])] = None
        elif kind == "ColumnRef":
            found.columns[column_name(content)] = None
        elif kind == "LockingClause":
            found.locks_rows = True
        elif kind == "JoinExpr":
            found.natural = found.natural or "isNatural" in content
            for item in content.get("usingClause", ()):
                found.columns[Name(None, string(item))] = None
        if followed:
            start = len(pending)
            if "withClause" in content:
                names = _enter_with(content["withClause"], names, pending)
            _follow(content, followed, names, pending, found)
            # Taken from the end, the children must stand there in reverse to be visited in the text's order.
            if len(pending) - start > 1:
                pending[start:] = pending[start:][::-1]
    return found


def _follow(
    node: Node, followed: tuple[tuple[str, str], ...], names: frozenset[str], pending: _Pending, found: _Found
) -> None:
    """Add the children of a node in the order of its fields."""
    for key, how in followed:
        value = node.get(key)
        if value is None:
            continue
        if how == "*":
            for child in value if type(value) is list else (value,):
                # An absent member of a list is an empty object.
                if child:
                    ((kind, content),) = child.items()
                    pending.append((kind, content, names))
        elif how == ">":
            found.writes[relation(value)] = None
        elif how != "WithClause":
            pending.append((how, value, names))


def _enter_with(node: Node, names: frozenset[str], pending: _Pending) -> frozenset[str]:
    """Add the queries of a WITH clause and return the names that its statement sees.

    With RECURSIVE every query sees all names of the clause; without, only those before it, and so a name does not
    hide the table of the same name inside its own query.
    """
    claim(node, WITH_CLAUSE)
    queries = [item["CommonTableExpr"] for item in node["ctes"]]
    if "recursive" in node:
        names = names.union([item["ctename"] for item in queries])
    for item in queries:
        claim(item, COMMON_TABLE_EXPR)
        kind, content = single(item["ctequery"])
        pending.append((kind, content, names))
        names = names | {item["ctename"]}
    return names
