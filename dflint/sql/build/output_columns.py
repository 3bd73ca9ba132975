"""The output columns of a query: the names PostgreSQL derives, and the columns they come from.

Without a catalog `*` of a table stays ``("*", table)``; that of a subquery or WITH query is written out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dflint.model.names import Name
from dflint.sql.build.nodes import Node, column_name, relation, single, strings

#: (name, column it comes from): see `Query.columns`.
Columns = tuple[tuple[str | None, Name | None], ...]

#: All columns of everything in FROM: their names are not known.
UNKNOWN: Final[Columns] = (("*", None),)

#: Columns of the WITH queries in scope.
_Ctes = Mapping[str, Columns]

#: What stands in FROM: a relation, the columns of a subquery, or None for what has columns only a catalog knows.
_Source = Name | Columns | None


def output_columns(node: Node) -> Columns:
    """The output columns of a wrapped query, or of a data-changing statement with RETURNING.

    A set operation takes its names from the first query; what its columns come from is not said.
    """
    kind, content = single(node)
    return _statement(kind, content, {})


def _statement(kind: str, node: Node, ctes: _Ctes) -> Columns:
    if kind == "SelectStmt":
        return _select(node, ctes)
    if kind not in ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt") or "returningClause" not in node:
        return ()
    if "withClause" in node:
        ctes = _with(node["withClause"], ctes)
    sources = _Sources(ctes)
    # MERGE returns the columns of its source before those of its target.
    if "sourceRelation" in node:
        sources.add(node["sourceRelation"])
    sources.add_target(node["relation"])
    for clause in ("fromClause", "usingClause"):
        for item in node.get(clause, ()):
            sources.add(item)
    return _targets(node["returningClause"].get("exprs", ()), sources)


def _select(node: Node, ctes: _Ctes) -> Columns:
    combined = "larg" in node
    while True:
        if "withClause" in node:
            ctes = _with(node["withClause"], ctes)
        if "larg" not in node:
            break
        node = node["larg"]
    if "valuesLists" in node:
        first = node["valuesLists"][0]["List"]["items"]
        return tuple([(f"column{number}", None) for number in range(1, len(first) + 1)])
    sources = _Sources(ctes)
    for item in node.get("fromClause", ()):
        sources.add(item)
    columns = _targets(node.get("targetList", ()), sources)
    return _without_origin(columns) if combined else columns


def _without_origin(columns: Columns) -> Columns:
    return tuple([(name, origin if name == "*" else None) for name, origin in columns])


def _with(node: Node, ctes: _Ctes) -> _Ctes:
    queries = [item["CommonTableExpr"] for item in node["ctes"]]
    known = dict(ctes)
    if "recursive" in node:
        known.update({item["ctename"]: UNKNOWN for item in queries})
    for item in queries:
        kind, content = single(item["ctequery"])
        columns = _renamed(_statement(kind, content, known), item.get("aliascolnames", ()))
        if "search_clause" in item:
            columns += ((item["search_clause"]["search_seq_column"], None),)
        if "cycle_clause" in item:
            cycle = item["cycle_clause"]
            columns += ((cycle["cycle_mark_column"], None), (cycle["cycle_path_column"], None))
        known[item["ctename"]] = columns
    return known


def _renamed(columns: Columns, names: Sequence[Node]) -> Columns:
    """Columns under the names of an alias's column list, which may be shorter."""
    if not names:
        return columns
    if len(names) > len(columns) or any(name == "*" for name, _ in columns[: len(names)]):
        return UNKNOWN
    renamed = [(name, origin) for name, (_, origin) in zip(strings(names), columns, strict=False)]
    return tuple(renamed) + columns[len(names) :]


class _Sources:
    """What stands in one FROM clause."""

    def __init__(self, ctes: _Ctes) -> None:
        self.ctes = ctes
        self.all: list[_Source] = []
        self.named: dict[str, _Source] = {}
        #: USING and NATURAL show the shared columns once, in front: `*` is then more than a concatenation.
        self.merged = False

    def add(self, node: Node) -> None:
        """Add an item of FROM."""
        kind, item = single(node)
        if kind == "JoinExpr":
            self._add_join(item)
        elif kind == "RangeVar":
            if "schemaname" not in item and item["relname"] in self.ctes:
                self._add(item.get("alias"), item["relname"], self.ctes[item["relname"]])
            else:
                self.add_target(item)
        elif kind == "RangeSubselect":
            inner_kind, inner = single(item["subquery"])
            columns = _statement(inner_kind, inner, self.ctes)
            # A lateral subquery's unqualified columns may be those of its neighbours.
            self._add(item.get("alias"), None, _without_origin(columns) if "lateral" in item else columns)
        elif kind == "RangeTableSample":
            self.add(item["relation"])
        else:
            self._add(item.get("alias"), None, None)

    def add_target(self, node: Node) -> None:
        """Add the relation of an unwrapped ``RangeVar`` that cannot be a WITH query."""
        name = relation(node)
        self._add(node.get("alias"), name.name, name)
        if name.schema is not None and "alias" not in node:
            self.named[str(name)] = name

    def _add_join(self, node: Node) -> None:
        if "usingClause" in node or "isNatural" in node:
            self.merged = True
        if "alias" in node:
            # The alias hides what is joined.
            self._add(node["alias"], None, None)
            return
        self.add(node["larg"])
        self.add(node["rarg"])
        if "join_using_alias" in node:
            self.named[node["join_using_alias"]["aliasname"]] = None

    def _add(self, alias: Node | None, name: str | None, source: _Source) -> None:
        if alias is not None:
            name = alias["aliasname"]
            if "colnames" in alias:
                if source is None or isinstance(source, Name):
                    source = None
                else:
                    source = _renamed(source, alias["colnames"])
        self.all.append(source)
        if name is not None:
            self.named[name] = source

    def star(self, qualifier: str | None) -> Columns:
        """The columns of ``*`` or ``qualifier.*``."""
        if qualifier is not None:
            return _all_of(self.named.get(qualifier))
        if self.merged:
            return UNKNOWN
        columns: Columns = ()
        for source in self.all:
            found = _all_of(source)
            if UNKNOWN[0] in found:
                return UNKNOWN
            columns += found
        return columns

    def origin(self, name: Name) -> Name | None:
        """The table column that a written column name means, None where that is not certain."""
        if name.schema is not None:
            return _origin(self.named.get(name.schema), name.name)
        # The name of a source alone is its whole row, unless it has a column of that name.
        if len(self.all) != 1 or name.name in self.named:
            return None
        return _origin(self.all[0], name.name)


def _all_of(source: _Source) -> Columns:
    if source is None:
        return UNKNOWN
    if isinstance(source, Name):
        return (("*", source),)
    return source


def _origin(source: _Source, name: str) -> Name | None:
    if source is None:
        return None
    if isinstance(source, Name):
        return Name(str(source), name)
    for shown, origin in source:
        if shown == name:
            return origin
    if len(source) == 1 and source[0][0] == "*" and source[0][1] is not None:
        return Name(str(source[0][1]), name)
    return None


def _targets(nodes: Sequence[Node], sources: _Sources) -> Columns:
    columns: list[tuple[str | None, Name | None]] = []
    for node in nodes:
        target = node["ResTarget"]
        value = target["val"]
        if "ColumnRef" in value:
            column = column_name(value["ColumnRef"])
            if column.name == "*":
                columns += sources.star(column.schema)
            else:
                columns.append((target.get("name", column.name), sources.origin(column)))
        elif "name" in target:
            columns.append((target["name"], None))
        elif "A_Indirection" in value and "A_Star" in value["A_Indirection"]["indirection"][-1]:
            columns += UNKNOWN
        else:
            columns.append((_derived(value, sources.ctes)[0], None))
    return tuple(columns)


#: Expressions that are always called the same.
_FIXED: Final = {
    "GroupingFunc": "grouping",
    "MergeSupportFunc": "merge_action",
    "A_ArrayExpr": "array",
    "RowExpr": "row",
    "CoalesceExpr": "coalesce",
    "XmlSerialize": "xmlserialize",
    "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar",
    "JsonSerializeExpr": "json_serialize",
    "JsonObjectConstructor": "json_object",
    "JsonArrayConstructor": "json_array",
    "JsonArrayQueryConstructor": "json_array",
    "JsonObjectAgg": "json_objectagg",
    "JsonArrayAgg": "json_arrayagg",
}
#: Expressions whose name depends on their ``op``.
_BY_OP: Final = {
    "IS_GREATEST": "greatest",
    "IS_LEAST": "least",
    "IS_XMLCONCAT": "xmlconcat",
    "IS_XMLELEMENT": "xmlelement",
    "IS_XMLFOREST": "xmlforest",
    "IS_XMLPARSE": "xmlparse",
    "IS_XMLPI": "xmlpi",
    "IS_XMLROOT": "xmlroot",
    "JSON_EXISTS_OP": "json_exists",
    "JSON_QUERY_OP": "json_query",
    "JSON_VALUE_OP": "json_value",
}
_NAMELESS: Final = ("?column?", False)


def _derived(node: Node, ctes: _Ctes) -> tuple[str | None, bool]:
    """The name PostgreSQL gives an expression, and whether it is better than the name of a type or ``case`` round it.

    The name is None where only a catalog knows it.
    """
    kind, content = single(node)
    if kind in _FIXED:
        return _FIXED[kind], True
    if kind == "ColumnRef":
        return column_name(content).name, True
    if kind == "FuncCall":
        return strings(content["funcname"])[-1], True
    if kind in ("MinMaxExpr", "XmlExpr", "JsonFuncExpr"):
        name = _BY_OP.get(content["op"])
        return (name, True) if name else _NAMELESS
    if kind == "TypeCast":
        name, strong = _derived(content["arg"], ctes)
        return (name, True) if strong else (strings(content["typeName"]["names"])[-1], False)
    if kind == "CaseExpr":
        name, strong = _derived(content["defresult"], ctes) if "defresult" in content else _NAMELESS
        return (name, True) if strong else ("case", False)
    if kind == "CollateClause":
        return _derived(content["arg"], ctes)
    if kind == "A_Indirection":
        fields = [step["String"].get("sval", "") for step in content["indirection"] if "String" in step]
        return (fields[-1], True) if fields else _derived(content["arg"], ctes)
    if kind == "SQLValueFunction":
        return content["op"].removeprefix("SVFOP_").lower().removesuffix("_n"), True
    if kind == "SubLink":
        return _subquery_name(content, ctes)
    if kind == "A_Expr" and content["kind"] == "AEXPR_NULLIF":
        return "nullif", True
    return _NAMELESS


def _subquery_name(node: Node, ctes: _Ctes) -> tuple[str | None, bool]:
    form = node["subLinkType"]
    if form == "EXISTS_SUBLINK":
        return "exists", True
    if form == "ARRAY_SUBLINK":
        return "array", True
    if form == "EXPR_SUBLINK":
        kind, content = single(node["subselect"])
        columns = _statement(kind, content, ctes)
        return (columns[0][0] if columns and columns[0][0] != "*" else None), True
    return _NAMELESS


def derived_name(node: Node) -> str | None:
    """The name PostgreSQL gives a wrapped expression without AS; None where only a catalog knows it."""
    return _derived(node, {})[0]
