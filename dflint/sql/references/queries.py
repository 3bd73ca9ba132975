"""References of queries and data-changing statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dflint.sql.build.nodes import Node, single, strings
from dflint.sql.build.output_columns import derived_name
from dflint.sql.references.from_clause import FromClause
from dflint.sql.references.scopes import Base, Field, Fields, Scope, Source, renamed

_NOTHING: Scope = Scope()


class Queries(FromClause):
    """Walks statements, with what they can see."""

    def statement(self, wrapped: Node, scope: Scope = _NOTHING) -> Fields:
        """Any statement, and its output columns; of one that is no query only the relations and types it names."""
        kind, node = single(wrapped)
        if kind in ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"):
            return self.query(kind, node, scope)
        if kind == "PLAssignStmt":
            return self.assignment(node, scope)
        if kind == "CallStmt":
            self.node("FuncCall", node["funccall"], scope)
            return ()
        self.utility(wrapped, scope)
        return ()

    def utility(self, tree: Any, scope: Scope) -> None:
        """A statement whose names are found by their shape alone: relations, types, and queries inside."""
        if isinstance(tree, list):
            for item in tree:
                self.utility(item, scope)
            return
        if not isinstance(tree, dict):
            return
        for key, value in tree.items():
            if key == "SelectStmt":
                self.query(key, value, scope)
            elif key in ("CreateStmt", "CreateTableAsStmt") and isinstance(value, dict):
                made = value.get("relation") or value.get("into", {}).get("rel", {})
                self.found.created.add(made.get("relname", ""))
                self.utility({field: part for field, part in value.items() if field not in ("relation", "into")}, scope)
            elif isinstance(value, dict) and "relname" in value:
                self.target(value, writes=True)
            elif key == "TypeName" or key == "typeName":
                self.type(value)
            else:
                self.utility(value, scope)

    def query(self, kind: str, node: Node, scope: Scope) -> Fields:
        """An unwrapped query or data-changing statement, and its output columns."""
        inner = self.with_queries(node["withClause"], scope) if "withClause" in node else scope
        if kind == "SelectStmt":
            return self.select(node, inner)
        if kind == "InsertStmt":
            return self.insert(node, inner)
        if kind == "MergeStmt":
            return self.merge(node, inner)
        return self.change(kind, node, inner)

    def with_queries(self, node: Node, scope: Scope) -> Scope:
        """The scope with the queries of a WITH clause."""
        known = dict(scope.queries)
        for item in node["ctes"]:
            table = item["CommonTableExpr"]
            names = strings(table.get("aliascolnames", ()))
            inner = dict(known)
            kind, query = single(table["ctequery"])
            if "recursive" in node:
                # Until the first branch has said which columns it has.
                inner[table["ctename"]] = None
                if kind == "SelectStmt" and "larg" in query:
                    inner[table["ctename"]] = renamed(self._output_of_first(query, scope, inner), names)
            fields = self.query(kind, query, Scope((), scope, inner))
            for clause, keys in (("search_clause", ("search_seq_column",)), ("cycle_clause", _CYCLE)):
                if clause in table and fields is not None:
                    fields += tuple(Field(table[clause][key]) for key in keys)
            known[table["ctename"]] = renamed(fields, names)
        return Scope(scope.sources, scope.parent, known)

    def _output_of_first(self, node: Node, scope: Scope, queries: dict[str, Fields]) -> Fields:
        while "larg" in node:
            node = node["larg"]
        return self.select(node, Scope((), scope, queries))

    # --- SELECT ---------------------------------------------------------------------------------------------------

    def select(self, node: Node, outer: Scope) -> Fields:
        """A SELECT, VALUES or set operation."""
        if "larg" in node:
            fields = self.query("SelectStmt", node["larg"], outer)
            self.query("SelectStmt", node["rarg"], outer)
            self.sorted_by(node, fields, Scope((), outer, outer.queries))
        elif "valuesLists" in node:
            inner = Scope((), outer, outer.queries)
            self.walk(node["valuesLists"], inner)
            count = len(node["valuesLists"][0]["List"].get("items", ()))
            fields = tuple(Field(f"column{number}") for number in range(1, count + 1))
            self.sorted_by(node, fields, inner)
        else:
            sources = self.from_clause(node.get("fromClause", ()), Scope((), outer, outer.queries))
            inner = Scope(sources, outer, outer.queries)
            fields = self.targets(node.get("targetList", ()), inner)
            self.walk(node.get("whereClause", {}), inner)
            self.grouped_by(node, fields, inner)
            self.walk(node.get("havingClause", {}), inner)
            self.walk(node.get("windowClause", []), inner)
            self.sorted_by(node, fields, inner)
            self.locked(node, inner)
        empty = Scope((), outer, outer.queries)
        self.walk(node.get("limitCount", {}), empty)
        self.walk(node.get("limitOffset", {}), empty)
        return fields

    def targets(self, targets: Sequence[Node], scope: Scope) -> Fields:
        """A list of output columns."""
        fields: list[Field] = []
        known = True
        for wrapped in targets:
            target = wrapped["ResTarget"]
            value = target["val"]
            if "ColumnRef" in value and "A_Star" in value["ColumnRef"]["fields"][-1]:
                parts = [
                    part["String"].get("sval", "") if "String" in part else "*" for part in value["ColumnRef"]["fields"]
                ]
                self.star(parts, value["ColumnRef"].get("location", 0), scope)
                for source in self.starred(parts, scope):
                    known = known and source.fields is not None
                    fields += [f for f in source.fields or () if len(parts) > 1 or f.name not in source.hidden]
                continue
            self.walk(value, scope)
            if "A_Indirection" in value and "A_Star" in value["A_Indirection"]["indirection"][-1]:
                row = self.row(value["A_Indirection"]["arg"], scope)
                known = known and row is not None and row.fields is not None
                fields += (row.fields if row is not None else None) or ()
                continue
            fields.append(Field(target["name"]) if "name" in target else self._unnamed(value, scope))
        return tuple(fields) if known else None

    def _unnamed(self, value: Node, scope: Scope) -> Field:
        """The output column of an expression without AS: it follows the name of the column it shows."""
        name = derived_name(value)
        kind, content = single(value)
        while kind in ("TypeCast", "CollateClause"):
            kind, content = single(content["arg"])
        if kind == "CaseExpr" and "defresult" in content:
            kind, content = single(content["defresult"])
        if kind == "A_Indirection" and "String" in content["indirection"][-1]:
            row = self.row(content["arg"], scope) if len(content["indirection"]) == 1 else None
            return Field(name, (row.bases(name or "") or ()) if row is not None else ())
        if kind != "ColumnRef" or name is None:
            return Field(name)
        parts = strings(content["fields"])
        for sources in scope.levels():
            for source in sources:
                if len(parts) == 1 or self._named(source, parts) is not None:
                    bases = source.bases(parts[-1])
                    if bases is not None:
                        return Field(name, bases)
        row = self.variables.get(parts[0])
        return Field(name, (row.bases(parts[-1]) or ()) if row is not None and len(parts) == 2 else ())

    def grouped_by(self, node: Node, fields: Fields, scope: Scope) -> None:
        """GROUP BY and DISTINCT ON: a bare name is an input column first in the one, last in the other."""
        for item in node.get("groupClause", ()):
            name = _bare(item)
            shown = name is not None and any(source.bases(name) is not None for source in scope.sources)
            if shown or not self._output(item, fields):
                self.walk(item, scope)
        for item in node.get("distinctClause", ()):
            if item and not self._output(item, fields):
                self.walk(item, scope)

    def sorted_by(self, node: Node, fields: Fields, scope: Scope) -> None:
        """ORDER BY: a bare name is an output column first."""
        for item in node.get("sortClause", ()):
            value = item["SortBy"]["node"]
            if not self._output(value, fields):
                self.walk(value, scope)

    def _output(self, value: Node, fields: Fields) -> bool:
        """Note a bare name that means an output column; whether it does."""
        name = _bare(value)
        if name is None:
            return False
        found = [field for field in fields or () if field.name == name]
        if not found:
            return False
        token = self.fragment.name(value["ColumnRef"].get("location", 0), name)
        for field in found:
            self.found.columns(token, field.bases)
        return True

    def locked(self, node: Node, scope: Scope) -> None:
        """FOR UPDATE OF: names of sources."""
        for clause in node.get("lockingClause", ()):
            for wrapped in clause["LockingClause"].get("lockedRels", ()):
                item = wrapped["RangeVar"]
                for source in scope.sources:
                    if source.alias == item["relname"]:
                        self.qualifier(source, self.fragment.name(item.get("location", 0), item["relname"]))

    # --- data -----------------------------------------------------------------------------------------------------

    def insert(self, node: Node, scope: Scope) -> Fields:
        """INSERT."""
        table = self.target(node["relation"], scope, writes=True)
        self.written(node.get("cols", ()), table)
        if "selectStmt" in node:
            self.query("SelectStmt", node["selectStmt"]["SelectStmt"], self._with_inner(node, scope))
        inner = Scope((table,), scope, scope.queries)
        conflict = node.get("onConflictClause")
        if conflict is not None:
            self._conflict(conflict, table, inner)
        return self.returning(node, inner, table)

    def _with_inner(self, node: Node, scope: Scope) -> Scope:
        query = node["selectStmt"]["SelectStmt"]
        return self.with_queries(query["withClause"], scope) if "withClause" in query else scope

    def _conflict(self, node: Node, table: Source, inner: Scope) -> None:
        target = node.get("infer", {})
        at = self.fragment.index(target.get("location", 0))
        if (
            "conname" in target
            and table.relation is not None
            and self.names.has_constraint(table.relation, target["conname"])
        ):
            # ON CONSTRAINT name: the place is that of ON.
            while at < len(self.fragment.places) and self.fragment.word(at) != target["conname"]:
                at += 1
            token = self.fragment.token(at) if at < len(self.fragment.places) else None
            self.found.add(token, "constraint", table.relation, target["conname"])
        for wrapped in target.get("indexElems", ()):
            element = wrapped["IndexElem"]
            self.walk(element.get("expr", {}), inner)
            if "name" in element:
                while at < len(self.fragment.places) and self.fragment.word(at) != element["name"]:
                    at += 1
                token = self.fragment.token(at) if at < len(self.fragment.places) else None
                self.found.columns(token, table.bases(element["name"]) or ())
                at += 1
        self.walk(target.get("whereClause", {}), inner)
        excluded = Source("excluded", table.fields)
        both = Scope((table, excluded), inner.parent, inner.queries)
        self.assigned(node.get("targetList", ()), table, both)
        self.walk(node.get("whereClause", {}), both)

    def change(self, kind: str, node: Node, scope: Scope) -> Fields:
        """UPDATE and DELETE."""
        table = self.target(node["relation"], scope, writes=True)
        inner = Scope((table,), scope, scope.queries)
        others = self.from_clause(node.get("fromClause" if kind == "UpdateStmt" else "usingClause", ()), inner)
        inner = Scope((table, *others), scope, scope.queries)
        self.assigned(node.get("targetList", ()), table, inner)
        self.walk(node.get("whereClause", {}), inner)
        return self.returning(node, inner, table)

    def merge(self, node: Node, scope: Scope) -> Fields:
        """MERGE."""
        table = self.target(node["relation"], scope, writes=True)
        others = self.item(node["sourceRelation"], Scope((), scope, scope.queries))
        inner = Scope((table, *others), scope, scope.queries)
        self.walk(node.get("joinCondition", {}), inner)
        for wrapped in node.get("mergeWhenClauses", ()):
            clause = wrapped["MergeWhenClause"]
            self.walk(clause.get("condition", {}), inner)
            if clause.get("commandType") == "CMD_UPDATE":
                self.assigned(clause.get("targetList", ()), table, inner)
            else:
                self.written(clause.get("targetList", ()), table)
            self.walk(clause.get("values", []), inner)
        return self.returning(node, inner, table)

    def assigned(self, targets: Sequence[Node], table: Source, scope: Scope) -> None:
        """``column = value, …``."""
        self.written(targets, table)
        for wrapped in targets:
            value = wrapped["ResTarget"].get("val", {})
            if "MultiAssignRef" not in value or value["MultiAssignRef"].get("colno", 1) == 1:
                self.walk(value, scope)

    def written(self, targets: Sequence[Node], table: Source) -> None:
        """The columns that a statement writes."""
        for wrapped in targets:
            target = wrapped["ResTarget"]
            token = self.fragment.name(target.get("location", 0), target["name"])
            bases = table.bases(target["name"])
            if bases is None and table.fields is None and table.relation is not None:
                bases = (Base(table.relation, target["name"]),)
            self.found.columns(token, bases or (), writes=True)

    def returning(self, node: Node, scope: Scope, table: Source) -> Fields:
        """RETURNING; OLD and NEW are the table's rows (PostgreSQL 18)."""
        if "returningClause" not in node:
            return ()
        clause = node["returningClause"]
        names = {"old", "new"}
        for wrapped in clause.get("options", ()):
            names.add(wrapped["ReturningOption"]["value"])
        rows = tuple(Source(name, table.fields) for name in sorted(names) if name not in self.variables)
        return self.targets(clause["exprs"], scope._replace(parent=Scope(rows, scope.parent)))

    def assignment(self, node: Node, scope: Scope) -> Fields:
        """An assignment of PL/pgSQL: ``variable := expression``, ``record.field := expression``."""
        steps = node.get("indirection", [])
        parts = [node["name"], *strings([step for step in steps if "String" in step])]
        self.walk([step for step in steps if "A_Indices" in step], scope)
        row = self.variables.get(parts[0])
        if row is not None and len(parts) > 1:
            token = self.fragment.name(node.get("location", 0), parts[1], 1)
            self.found.columns(token, row.bases(parts[1]) or (), writes=True)
        return self.query("SelectStmt", node["val"], scope)


_CYCLE = ("cycle_mark_column", "cycle_path_column")


def _bare(value: Node) -> str | None:
    """The name in a wrapped ``ColumnRef`` without qualifier."""
    fields = value.get("ColumnRef", {}).get("fields", ())
    return fields[0]["String"].get("sval", "") if len(fields) == 1 and "String" in fields[0] else None
