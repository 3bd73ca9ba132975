"""Queries: which relations they read and write, which functions they call.

One walk over the parse tree, without recursion, so that the depth of an expression is no limit here. What the walk
knows of node types is in `query_fields`; the output columns of a query are found by `output_columns`.
"""

from __future__ import annotations

from typing import Final

from dflint.model.dependencies import SEQUENCE_FUNCTIONS, parse_name
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

    __slots__ = (
        "aliases",
        "columns",
        "functions",
        "locked",
        "locks_rows",
        "natural",
        "only",
        "reads",
        "sequences",
        "writes",
    )

    def __init__(self) -> None:
        self.reads: dict[Name, None] = {}
        self.functions: dict[Name, None] = {}
        self.writes: dict[Name, None] = {}
        self.sequences: dict[Name, None] = {}
        self.columns: dict[Name, None] = {}
        self.locks_rows = False
        self.locked: list[str] = []
        self.aliases: dict[str, Name] = {}
        self.only: dict[Name, bool] = {}
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
        *_locked_and_only(found),
        tuple(found.sequences),
    )


def contents(node: Node) -> Query:
    """The same as `query` without output columns, for any wrapped expression, query or data-changing statement.

    The target of an INSERT, UPDATE, DELETE or MERGE is among the ``writes``, not among the ``reads``.
    """
    found = _walk(node)
    locked, only = _locked_and_only(found)
    return Query(
        tuple(found.reads),
        (),
        tuple(found.functions),
        tuple(found.writes),
        found.locks_rows,
        None,
        locked,
        only,
        tuple(found.sequences),
    )


def _note_sequence(call: Node, found: _Found) -> None:
    """Note the sequence that a call of nextval() or its kin names by a constant, with a cast or without."""
    argument: Node = next(iter(call.get("args", ())), {})
    while "TypeCast" in argument:
        argument = argument["TypeCast"]["arg"]
    name = parse_name(argument.get("A_Const", {}).get("sval", {}).get("sval", ""))
    if name is not None:
        found.sequences[name] = None


def _locked_and_only(found: _Found) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
    """What FOR UPDATE OF names, empty if one of the names is no relation's, and what is read with ONLY."""
    known = all(name in found.aliases for name in found.locked)
    locked = tuple(dict.fromkeys(found.aliases[name] for name in found.locked)) if known else ()
    return locked, tuple(name for name, only in found.only.items() if only)


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
                name = relation(content)
                found.reads[name] = None
                found.only[name] = "inh" not in content and found.only.get(name, True)
                found.aliases[content["alias"]["aliasname"] if "alias" in content else name.name] = name
            continue
        if kind == "FuncCall":
            name = qualified(content["funcname"])
            found.functions[name] = None
            if name.name in SEQUENCE_FUNCTIONS:
                _note_sequence(content, found)
        elif kind == "ColumnRef":
            found.columns[column_name(content)] = None
        elif kind == "LockingClause":
            found.locks_rows = True
            found.locked += [item["RangeVar"]["relname"] for item in content.get("lockedRels", ())]
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
