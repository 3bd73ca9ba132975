"""References of FROM, and the sources that it gives the rest of a query."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.names import Name
from dflint.sql.build.nodes import Node, relation, single, strings
from dflint.sql.build.output_columns import derived_name
from dflint.sql.references.expressions import Expressions
from dflint.sql.references.places import locations
from dflint.sql.references.scopes import Field, Fields, Scope, Source, renamed

_NOTHING: Scope = Scope()


class FromClause(Expressions):
    """Walks the items of FROM."""

    def from_clause(self, items: Sequence[Node], scope: Scope) -> tuple[Source, ...]:
        """The sources of a FROM list; functions and LATERAL see those to their left."""
        sources: tuple[Source, ...] = scope.sources
        before = len(sources)
        for item in items:
            sources += self.item(item, Scope(sources, scope.parent, scope.queries))
        return sources[before:]

    def item(self, wrapped: Node, scope: Scope) -> tuple[Source, ...]:
        """One item of FROM; the scope has what stands to its left."""
        kind, node = single(wrapped)
        alias = node.get("alias", {}).get("aliasname")
        names = strings(node.get("alias", {}).get("colnames", ()))
        if kind == "JoinExpr":
            return self.join(node, scope)
        if kind == "RangeVar":
            return (self.target(node, scope),)
        if kind == "RangeSubselect":
            inner_kind, query = single(node["subquery"])
            sees = scope if "lateral" in node else Scope((), scope.parent, scope.queries)
            return (Source(alias, renamed(self.query(inner_kind, query, sees), names)),)
        if kind == "RangeTableSample":
            self.walk(node.get("args", []), scope)
            self.walk(node.get("repeatable", {}), scope)
            return self.item(node["relation"], scope)
        if kind == "RangeFunction":
            return (self.function_source(node, scope, alias, names),)
        self.inside(kind, node, scope)
        return (Source(alias, None),)

    def target(self, node: Node, scope: Scope = _NOTHING, *, writes: bool = False) -> Source:
        """A relation in FROM, or the one that a statement writes."""
        name = relation(node)
        alias = node.get("alias", {}).get("aliasname")
        names = strings(node.get("alias", {}).get("colnames", ()))
        if name.schema is None and not writes and name.name in scope.queries:
            return Source(alias or name.name, renamed(scope.queries[name.name], names))
        if name.schema is None and name.name in self.names.transition:
            return Source(alias or name.name, renamed(self.names.transition[name.name], names))
        known = self.names.relation(name)
        if known is None:
            return Source(alias or name.name, None)
        hidden = name.schema is None and name.name in self.found.created
        parts = ("catalogname" in node) + (name.schema is not None)
        token = self.fragment.name(node.get("location", 0), name.name, parts)
        self.found.add(token, self.kind_of(known), known, writes=writes, certainty="possible" if hidden else "certain")
        fields = renamed(self.names.fields(known), names)
        return Source(alias or name.name, None if hidden else fields, known, alias is None)

    def function_source(self, node: Node, scope: Scope, alias: str | None, names: list[str]) -> Source:
        """A function in FROM."""
        fields: list[Field] = []
        known = True
        calls = [wrapped["List"]["items"][0] for wrapped in node["functions"]]
        for call in calls:
            self.walk(call, scope)
            found = self._returned(call, alias if len(calls) == 1 else None)
            known = known and found is not None
            fields += found or ()
        for wrapped in node.get("coldeflist", ()):
            fields.append(Field(wrapped["ColumnDef"]["colname"]))
            self.type(wrapped["ColumnDef"]["typeName"])
        if "coldeflist" in node:
            known = True
        if "ordinality" in node:
            fields.append(Field("ordinality"))
        shown = alias or (derived_name(calls[0]) if len(calls) == 1 else None)
        return Source(shown, renamed(tuple(fields), names) if known else None)

    def _returned(self, call: Node, alias: str | None) -> Fields:
        """The columns that a function shows in FROM; None where that is not known."""
        if "FuncCall" not in call:
            return None
        parts = strings(call["FuncCall"]["funcname"])
        found = self.names.routines(Name(parts[-2] if len(parts) > 1 else None, parts[-1]))
        if found is None or len(found[1]) != 1:
            return None
        routine = found[1][0]
        out = [parameter for parameter in routine.parameters if parameter.mode in ("out", "inout", "table")]
        if out:
            return tuple(Field(parameter.name) for parameter in out)
        if routine.returns is None or routine.returns.name.name == "record":
            return None
        row = self.names.fields(routine.returns.name)
        if row is not None:
            return row
        return (Field(alias or parts[-1]),)

    def join(self, node: Node, scope: Scope) -> tuple[Source, ...]:
        """A join and its condition."""
        left = self.item(node["larg"], scope)
        right = self.item(node["rarg"], Scope((*scope.sources, *left), scope.parent, scope.queries))
        shared: list[str] = []
        if "usingClause" in node:
            shared = strings(node["usingClause"])
            self._using(node, shared, left, right)
        elif "isNatural" in node:
            shared = self._natural(node, left, right)
        if shared:
            right = tuple(source._replace(hidden=source.hidden | set(shared)) for source in right)
        sources = (*left, *right)
        if "quals" in node:
            self.walk(node["quals"], Scope(sources, Scope((), scope.parent), scope.queries))
        if "alias" in node:
            merged = tuple(f for s in sources for f in s.fields or () if f.name not in s.hidden)
            known = all(source.fields is not None for source in sources)
            columns = strings(node["alias"].get("colnames", ()))
            return (Source(node["alias"]["aliasname"], renamed(merged, columns) if known else None),)
        return sources

    def _using(self, node: Node, names: Sequence[str], left: Sequence[Source], right: Sequence[Source]) -> None:
        """USING: its names have no place in the tree; they stand in the first USING after the right side."""
        at = self.fragment.index(max(locations(node["rarg"]), default=0))
        behind = _trailing_usings(node["rarg"])
        while at < len(self.fragment.places) and (self.fragment.word(at) != "using" or behind):
            behind -= self.fragment.word(at) == "using"
            at += 1
        for offset, name in enumerate(names):
            place = at + 2 + 2 * offset
            token = self.fragment.token(place) if self.fragment.word(place) == name else None
            for source in (*left, *right):
                self.found.columns(token, source.bases(name) or (), form="using")

    def _natural(self, node: Node, left: Sequence[Source], right: Sequence[Source]) -> list[str]:
        """NATURAL: the columns that both sides have."""
        shown = {field.name for source in left for field in source.fields or ()}
        shared = [f.name for source in right for f in source.fields or () if f.name in shown and f.name is not None]
        at = self.fragment.index(min(locations(node["rarg"]), default=0))
        while at > 0 and self.fragment.word(at) != "natural":
            at -= 1
        for name in shared:
            for source in (*left, *right):
                self.found.columns(self.fragment.token(at), source.bases(name) or (), form="natural")
        if any(source.fields is None for source in (*left, *right)):
            self.found.doubt("NATURAL JOIN of a relation whose columns are not known")
        return shared


def _trailing_usings(wrapped: Node) -> int:
    """How many USING of joins inside the right side of a join stand behind its last place."""
    found = 0
    kind, node = single(wrapped)
    while kind == "JoinExpr" and "quals" not in node:
        found += "usingClause" in node
        kind, node = single(node["rarg"])
    return found
