"""References of expressions: columns, functions, types, and names in string constants that are read as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dflint.model.dependencies import SEQUENCE_FUNCTIONS, parse_name
from dflint.model.names import Name
from dflint.sql.build.nodes import Node, qualified, single, strings
from dflint.sql.build.query_fields import FIELDS
from dflint.sql.libpg_query import Token
from dflint.sql.references.found import Found
from dflint.sql.references.places import Fragment, locations
from dflint.sql.references.scopes import SYSTEM_COLUMNS, Base, Field, Names, Scope, Source
from dflint.sql.references.values import Certainty, Form

#: By name (``label.name`` and ``$1`` too): a scalar has no fields, a row of unknown shape has None.
Variables = Mapping[str, Source]
_QUERIES: Final = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
#: Within how many tokens behind an expression a field of it must stand.
_NEAR: Final = 40


class Expressions:
    """Walks expressions; `dflint.sql.references.queries` adds queries.

    Attributes:
        variables: of the routine around, by name; a scalar one has no fields, a row whose columns are not known None.
        variables_win: they hide columns (``#variable_conflict use_variable``).
    """

    def __init__(
        self, names: Names, fragment: Fragment, found: Found, variables: Variables, *, variables_win: bool = False
    ) -> None:
        self.names = names
        self.fragment = fragment
        self.found = found
        self.variables = variables
        self.variables_win = variables_win

    def query(self, kind: str, node: Node, scope: Scope) -> tuple[Field, ...] | None:
        """A query inside an expression, and its output columns."""
        raise NotImplementedError

    def walk(self, wrapped: Any, scope: Scope) -> None:
        """A wrapped node, or a list of them."""
        if isinstance(wrapped, list):
            for item in wrapped:
                self.walk(item, scope)
            return
        if not wrapped:
            return
        kind, node = single(wrapped)
        self.node(kind, node, scope)

    def node(self, kind: str, node: Node, scope: Scope) -> None:
        """An unwrapped node."""
        if kind in _QUERIES:
            self.query(kind, node, scope)
        elif kind == "ColumnRef":
            self.column(node, scope)
        elif kind == "FuncCall":
            self.function(node)
            self.inside(kind, node, scope)
        elif kind == "TypeCast":
            self.type(node["typeName"])
            self.constant_name(node)
            self.inside(kind, node, scope)
        elif kind == "A_Indirection":
            self.indirection(node, scope)
        elif kind in FIELDS:
            if "typeName" in node:
                self.type(node["typeName"])
            self.inside(kind, node, scope)
        else:
            self.found.doubt(f"{kind} is not known")

    def inside(self, kind: str, node: Node, scope: Scope) -> None:
        """What a node holds."""
        for field, how in FIELDS[kind].followed:
            if field in node:
                if how == "*":
                    self.walk(node[field], scope)
                else:
                    self.node(how, node[field], scope)

    # --- columns --------------------------------------------------------------------------------------------------

    def column(self, node: Node, scope: Scope) -> Source | None:
        """A ``ColumnRef``; the row that it means, where it means one."""
        location = node.get("location", 0)
        parts = [field["String"].get("sval", "") if "String" in field else "*" for field in node["fields"]]
        if parts[-1] == "*":
            self.star(parts, location, scope)
            return None
        if self.variables_win and parts[0] in self.variables:
            return self.variable(parts, location)
        if len(parts) == 1:
            return self.bare(parts[0], location, scope)
        return self.dotted(parts, location, scope)

    def bare(self, name: str, location: int, scope: Scope) -> Source | None:
        """A name without qualifier: a column, else a whole row, else a variable."""
        certainty: Certainty = "likely" if name in self.variables else "certain"
        for sources in scope.levels():
            shown: tuple[Base, ...] | None = None
            for source in sources:
                bases = source.bases(name)
                if bases is not None:
                    form: Form = "using" if any(name in other.hidden for other in sources) else "name"
                    self.found.columns(self.fragment.name(location, name), bases, form=form, certainty=certainty)
                    shown = bases
            if shown is not None:
                return self._row_of_column(shown)
            if name in SYSTEM_COLUMNS and sources:
                return None
            row = next((source for source in sources if source.alias == name), None)
            if row is not None:
                if not any(source.fields is None for source in sources if source is not row):
                    self.qualifier(row, self.fragment.name(location, name))
                return row
            if any(source.fields is None for source in sources):
                # It may be a column of what is not known.
                certainty = "possible"
        return self.variable([name], location)

    def dotted(self, parts: list[str], location: int, scope: Scope) -> Source | None:
        """``source.column``, ``schema.table.column`` and what follows a column of a composite type."""
        for sources in scope.levels():
            for source in sources:
                place = self._named(source, parts)
                if place is None:
                    continue
                self.qualifier(source, self.fragment.name(location, parts[place], place))
                token = self.fragment.name(location, parts[place + 1], place + 1)
                bases = source.bases(parts[place + 1])
                if bases is not None:
                    self.found.columns(token, bases)
                    return self._row_of_column(bases)
                if source.fields is None and source.relation is not None:
                    self.found.add(token, "column", source.relation, parts[place + 1], certainty="likely")
                elif parts[place + 1] not in SYSTEM_COLUMNS:
                    self._called(parts[place + 1], token)
                return None
        return self.variable(parts, location)

    @staticmethod
    def _named(source: Source, parts: list[str]) -> int | None:
        """The place of the part that names the source, None if none does."""
        if source.alias == parts[0]:
            return 0
        if len(parts) > 2 and source.own_name and source.relation == Name(parts[0], parts[1]):
            return 1
        return None

    def _called(self, name: str, token: Token | None) -> None:
        """``row.function``: a function of one argument written as a column."""
        found = self.names.routines(Name(None, name))
        if found is not None:
            self.found.add(token, "function", found[0], certainty="likely")

    def variable(self, parts: list[str], location: int) -> Source | None:
        """A variable of the routine, or a field of one that is a row."""
        row = self.variables.get(parts[0])
        place = 1
        if row is None and len(parts) > 1:
            row, place = self.variables.get(".".join(parts[:2])), 2
        if row is None:
            return None
        if len(parts) > place and row.fields:
            token = self.fragment.name(location, parts[place], place)
            self.found.columns(token, row.bases(parts[place]) or ())
            return None
        return row

    def qualifier(self, source: Source, token: Token | None) -> None:
        """A source named without alias, by the relation's own name."""
        if source.own_name and source.relation is not None:
            self.found.add(token, "relation", source.relation)

    def star(self, parts: list[str], location: int, scope: Scope) -> None:
        """``*`` and ``source.*``: every column, and the name of the source."""
        token = self.fragment.name(location, "*", len(parts) - 1)
        if location < 0:
            # TABLE name has no star of its own.
            token = self.fragment.token(0)
        for source in self.starred(parts, scope):
            if len(parts) > 1:
                self.qualifier(source, self.fragment.name(location, parts[-2], len(parts) - 2))
            for field in source.fields or ():
                self.found.columns(token, field.bases, form="star")

    def starred(self, parts: list[str], scope: Scope) -> tuple[Source, ...]:
        """The sources that ``*`` or ``source.*`` shows."""
        if len(parts) == 1:
            return scope.sources
        for sources in scope.levels():
            for source in sources:
                if self._named(source, parts) is not None:
                    return (source,)
        row = self.variables.get(parts[0])
        return () if row is None else (row,)

    def indirection(self, node: Node, scope: Scope) -> None:
        """``(row).field``, ``array[i]``, ``(function()).field``."""
        argument = node["arg"]
        row = self.row(argument, scope)
        steps = node["indirection"]
        self.walk([step for step in steps if "A_Indices" in step], scope)
        if "A_Star" in steps[-1]:
            for field in row.fields or () if row is not None else ():
                self.found.columns(self._after(argument, "*"), field.bases, form="star")
        if "String" not in steps[0]:
            return
        name = strings(steps[:1])[0]
        if row is None or row.fields is None:
            self.found.doubt(f"the type of the row whose {name} is read is not known")
            return
        self.found.columns(self._after(argument, name), row.bases(name) or ())

    def row(self, argument: Node, scope: Scope) -> Source | None:
        """Walk an expression whose field is read; the row that it is, None where that is not known."""
        kind, content = single(argument)
        if kind == "ColumnRef":
            return self.column(content, scope)
        self.walk(argument, scope)
        if kind == "ParamRef":
            return self.variables.get(f"${content.get('number', 0)}")
        if kind == "TypeCast":
            return self._row_of(self.names.type(qualified(content["typeName"]["names"])))
        if kind == "FuncCall":
            found = self.names.routines(qualified(content["funcname"]))
            if found is not None and len(found[1]) == 1 and found[1][0].returns is not None:
                return self._row_of(found[1][0].returns.name)
        return None

    def _row_of(self, kind: Name | None) -> Source | None:
        return None if kind is None else Source(None, self.names.fields(kind))

    def _row_of_column(self, bases: tuple[Base, ...]) -> Source | None:
        """The row that a column of a composite type holds."""
        return self._row_of(self.names.column_type(bases[0].relation, bases[0].column)) if bases else None

    def _after(self, argument: Node, name: str) -> Token | None:
        """The token of a field behind ``(row)`` or ``$1``: trees have no place for it."""
        at = self.fragment.index(max(locations(argument), default=0))
        for index in range(at, at + _NEAR):
            if self.fragment.word(index) == "." and self.fragment.word(index + 1) == name:
                return self.fragment.token(index + 1)
        return None

    # --- functions, types, constants ------------------------------------------------------------------------------

    def function(self, node: Node) -> None:
        """The function that a ``FuncCall`` names."""
        parts = strings(node["funcname"])
        if parts[0] == "pg_catalog":
            return
        self._sequence(node, parts[-1])
        arguments = None if node.get("func_variadic") else len(node.get("args", ()))
        found = self.names.routines(Name(parts[-2] if len(parts) > 1 else None, parts[-1]), arguments)
        if found is None:
            return
        name, overloads = found
        token = self.fragment.name(node.get("location", 0), parts[-1], len(parts) - 1)
        certainty: Certainty = "certain" if len(overloads) == 1 else "likely"
        self.found.add(token, "function", name, certainty=certainty, arguments=arguments)

    def _sequence(self, node: Node, name: str) -> None:
        if name not in SEQUENCE_FUNCTIONS or not node.get("args"):
            return
        constant = node["args"][0]
        if "TypeCast" in constant:
            return  # Its cast to regclass is found for itself.
        self._string(constant, ("relation", "sequence"))

    def constant_name(self, cast: Node) -> None:
        """``'name'::regclass`` and ``'name'::regtype``."""
        kinds = {"regclass": ("relation",), "regtype": ("type",)}.get(strings(cast["typeName"]["names"])[-1])
        if kinds is not None:
            self._string(cast["arg"], kinds)

    def _string(self, wrapped: Node, kinds: tuple[str, ...]) -> None:
        constant = wrapped.get("A_Const", {})
        written = constant.get("sval", {}).get("sval", "")
        name = parse_name(written) if written else None
        if name is None:
            return
        token = self.fragment.token(self.fragment.index(constant.get("location", 0)))
        raw = self.fragment.text.raw[token.start : token.end].decode()
        if raw != f"'{written}'":
            self.found.doubt(f"the name in {raw} is not read")
            return
        last = written.rsplit(".", 1)[-1]
        start = token.end - 1 - len(last.encode())
        if kinds == ("type",):
            kind = self.names.type(name)
            if kind is not None:
                self.found.at(start, token.end - 1, "type", kind, form="string")
            return
        relation = self.names.relation(name)
        if relation is not None:
            self.found.at(start, token.end - 1, self.kind_of(relation), relation, form="string")

    def kind_of(self, relation: Name) -> Any:
        """``sequence`` or ``relation``."""
        return "sequence" if type(self.names.catalog.relations[relation]).__name__ == "Sequence" else "relation"

    def type(self, node: Node) -> None:
        """An unwrapped ``TypeName``."""
        parts = strings(node.get("names", ()))
        if not parts or parts[0] == "pg_catalog" or "pct_type" in node:
            return
        found = self.names.type(Name(parts[-2] if len(parts) > 1 else None, parts[-1]))
        if found is None:
            return
        token = self.fragment.name(node.get("location", 0), parts[-1], len(parts) - 1)
        kind: Any = "type" if self.names.catalog.types.get(found) is not None else "relation"
        self.found.add(token, kind, found, as_type=kind == "relation")
