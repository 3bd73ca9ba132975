"""References of PL/pgSQL bodies: every statement and expression in them, at its place in the body."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from dflint.model.names import Name
from dflint.sql.build.declarations import declarations
from dflint.sql.build.nodes import Node
from dflint.sql.build.plpgsql_fields import FIELDS
from dflint.sql.build.plpgsql_parsing import parse_body, refusal
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep
from dflint.sql.references.found import Found
from dflint.sql.references.places import Fragment, Text, located
from dflint.sql.references.queries import Queries
from dflint.sql.references.scopes import Fields, Names, Scope, Source

_decode: Callable[[bytes], Any] = msgspec.json.decode
_USE_VARIABLE: Final = re.compile(r"^\s*#\s*variable_conflict\s+use_variable\b", re.MULTILINE | re.IGNORECASE)
_QUERY: Final = 0
_NO_HANDLERS: Final[Node] = {"PLpgSQL_exception_block": {"exc_list": ()}}
_EXPRESSION: Final = 2
#: Written by libpg_query behind each argument of a cursor.
_ARGUMENT_NAME: Final = re.compile(r"""\s+AS\s+(?:"[^"]*"|[\w$]+)(?:,\s*|$)""")
#: Fields with statements that the table of fields leaves to those who follow branches and turns.
_BODIES: Final = {"body": "body", "then_body": "body", "else_body": "body", "elsif_list": "branches"}


class PlpgsqlBody:
    """Walks one body.

    Two walks: the first learns the columns of records from the queries that fill them, the second notes references.
    """

    def __init__(
        self, text: str, names: Names, library: LibPgQuery, given: Sequence[Source], *, variables_win: bool
    ) -> None:
        """A body and the variables it is given: parameters, NEW and OLD.

        Raises:
            GrammarError: the scanner rejects the body.
        """
        self.text = Text(text, library)
        self.found = Found(self.text)
        self.names = names
        self.library = library
        self.variables: dict[str, Source] = {source.alias or "": source for source in given}
        self._win = variables_win or _USE_VARIABLE.search(text) is not None
        self._next = 0
        #: Tokens that were read as SQL.
        self._read: set[int] = set()

    def walk(self, head: Callable[[str], str]) -> None:
        """Both walks. ``head`` is as for `dflint.sql.build.plpgsql_parsing.parse_body`."""
        try:
            functions, body = parse_body(head, self.text.text, self.library)
        except GrammarError as error:
            self.found.doubt(refusal(error))
            return
        if body != self.text.text:
            self.found.doubt("it holds placeholders of a template")
            return
        for _ in range(2):
            self.found = Found(self.text)
            self._next = 0
            self._read.clear()
            for function in functions:
                self._function(function["PLpgSQL_function"])
        self._record_fields()

    def _function(self, node: Node) -> None:
        self._datums = node.get("datums", [])
        for datum in self._datums:
            for kind in ("PLpgSQL_var", "PLpgSQL_rec"):
                name = datum.get(kind, {}).get("refname")
                if name is not None and name not in self.variables:
                    shape = () if kind == "PLpgSQL_var" else None
                    self.variables[name] = Source(name, shape)
        self._declared()
        for datum in self._datums:
            query = datum.get("PLpgSQL_var", {}).get("cursor_explicit_expr")
            if query is not None:
                self._next = self._first_token(datum["PLpgSQL_var"].get("lineno", 1))
                fields = self._sql(query["PLpgSQL_expr"])
                self.variables[datum["PLpgSQL_var"]["refname"]] = Source(datum["PLpgSQL_var"]["refname"], fields)
        self._next = 0
        self._statement(node["action"])

    # --- declarations ---------------------------------------------------------------------------------------------

    def _declared(self) -> None:
        """Types and initial values of declared variables."""
        for declared in declarations(self.text.raw, self.library):
            at = next(i for i, token in enumerate(self.text.tokens) if token.start == declared.start)
            last = next(i for i, token in enumerate(self.text.tokens) if token.end == declared.end)
            row = self._type(at, last)
            if row is not None:
                self.variables[declared.name] = Source(declared.name, row)
            if declared.value:
                self._next = last
                self._sql({"query": declared.value, "parseMode": _EXPRESSION})

    def _type(self, first: int, last: int) -> Fields:
        """A declared type; the columns of a row type, None of others."""
        words = self.text.words[first : last + 1]
        parts: list[str] = []
        place = first
        while place <= last and (not parts or self.text.words[place - 1] == "."):
            parts.append(self.text.words[place])
            place += 2
        token = self.text.tokens[place - 2]
        form = words[-1] if "%" in words else ""
        if form == "type":
            relation = self.names.relation(_name(parts[:-1])) if len(parts) > 1 else None
            if relation is not None:
                self.found.add(self.text.tokens[place - 4], self._kind(relation), relation, as_type=True)
                known = {f.name: f.bases for f in self.names.fields(relation) or ()}
                self.found.columns(token, known.get(parts[-1], ()))
            return None
        if form == "rowtype":
            relation = self.names.relation(_name(parts))
            if relation is None:
                return None
            self.found.add(token, self._kind(relation), relation, as_type=True)
            return self.names.fields(relation)
        found = self.names.type(_name(parts))
        if found is None:
            return None
        if self.names.catalog.types.get(found) is not None:
            self.found.add(token, "type", found)
            return None
        self.found.add(token, "relation", found, as_type=True)
        return self.names.fields(found) if "[" not in words else None

    def _kind(self, relation: Name) -> Any:
        return "sequence" if type(self.names.catalog.relations[relation]).__name__ == "Sequence" else "relation"

    # --- statements -----------------------------------------------------------------------------------------------

    def _statement(self, wrapped: Node) -> None:
        ((kind, node),) = wrapped.items()
        if kind not in FIELDS:
            self.found.doubt(f"PL/pgSQL: {kind} is not known")
            return
        self._next = max(self._next, self._first_token(node.get("lineno", 1)))
        if kind == "PLpgSQL_stmt_block":
            for part in node.get("body", ()):
                self._statement(part)
            for handler in node.get("exceptions", _NO_HANDLERS)["PLpgSQL_exception_block"]["exc_list"]:
                for part in handler["PLpgSQL_exception"].get("action", []):
                    self._statement(part)
            return
        for field, known in FIELDS[kind].items():
            role = known or _BODIES.get(field, "")
            if role and field in node:
                self._field(kind, field, role, node)
        self._cursor(kind, node)

    def _field(self, kind: str, field: str, role: str, node: Node) -> None:
        value = node[field]
        if role == "body":
            for part in value:
                self._statement(part)
        elif role == "branches":
            for wrapped in value:
                ((_, branch),) = wrapped.items()
                self._sql(branch["cond" if "cond" in branch else "expr"]["PLpgSQL_expr"])
                for part in branch.get("stmts", []):
                    self._statement(part)
        elif role == "expressions":
            place = self._next
            for item in value:
                # USING is read before the string it belongs to: the string is looked for from the same place.
                part = item.get("PLpgSQL_raise_option", {}).get("expr", item)
                self._sql(part["PLpgSQL_expr"])
            if "query" in node or "dynquery" in node:
                self._next = place
        elif role == "dynamic":
            self._dynamic(value["PLpgSQL_expr"])
        elif field == "argquery":
            for part in _ARGUMENT_NAME.split(value["PLpgSQL_expr"]["query"]):
                if part:
                    self._sql({"query": part, "parseMode": _EXPRESSION})
        else:
            fields = self._sql(value["PLpgSQL_expr"])
            if kind in ("PLpgSQL_stmt_execsql", "PLpgSQL_stmt_fors"):
                self._filled(node.get("target") or node.get("var") or {}, fields)

    def _cursor(self, kind: str, node: Node) -> None:
        """What FETCH and a loop over a cursor fill."""
        if kind not in ("PLpgSQL_stmt_fetch", "PLpgSQL_stmt_forc") or "curvar" not in node:
            return
        cursor = self._datums[node["curvar"]].get("PLpgSQL_var", {}).get("refname")
        row = self.variables.get(cursor)
        if row is not None:
            self._filled(node.get("target") or node.get("var") or {}, row.fields)

    def _filled(self, target: Node, fields: Fields) -> None:
        """Note the columns of a record that a query fills; several queries add theirs."""
        record = target.get("PLpgSQL_rec", {}).get("refname")
        if record is None or not fields:
            return
        old = self.variables.get(record, Source(record, None))
        known = old.fields or ()
        self.variables[record] = old._replace(fields=(*known, *(field for field in fields if field not in known)))

    # --- SQL ------------------------------------------------------------------------------------------------------

    def _sql(self, expression: Node) -> Fields:
        """A statement or expression, looked for from the token that comes next."""
        query, mode = expression["query"], expression["parseMode"]
        fragment = located(self.text, query, self.library, self._next) or located(self.text, query, self.library, 0)
        if fragment is None:
            self.found.doubt(f"{query!r} was not found in the body")
            return None
        self._next = fragment.places[-1] + 1
        self._read.update(fragment.places)
        tree = _decode(
            self.library.parse(query.encode())
            if mode == _QUERY
            else self.library.parse_plpgsql_expression(query.encode(), mode)
        )
        walker = Queries(self.names, fragment, self.found, self.variables, variables_win=self._win)
        fields: Fields = ()
        for raw in tree["stmts"]:
            fields = walker.statement(raw["stmt"])
        return fields

    def _dynamic(self, expression: Node) -> None:
        """The string of an EXECUTE: read where it is one constant, unknown otherwise."""
        fragment = located(self.text, expression["query"], self.library, self._next)
        self._sql(expression)
        constant = _constant(fragment, self.text) if fragment is not None else None
        if constant is None:
            self.found.dynamic(fragment, expression["query"])
            return
        assert fragment is not None
        base = fragment.token(0).start + 1
        inner = Text(constant, self.library)
        held = Found(inner)
        walk_sql(inner, Queries(self.names, Fragment.whole(inner), held, {}), self.library)
        for reference in held.result().references:
            first = base + len(constant[: reference.start].encode())
            last = base + len(constant[: reference.end].encode())
            name = Name(reference.schema, reference.name)
            self.found.at(
                first,
                last,
                reference.kind,
                name,
                reference.column,
                form=reference.form,
                certainty=reference.certainty,
                writes=reference.writes,
                as_type=reference.as_type,
                arguments=reference.arguments,
            )
        if held.problem is not None:
            self.found.doubt(held.problem)

    def _first_token(self, line: int) -> int:
        """The first token on a line or behind it."""
        start = self.text.line_start(line)
        return next((i for i, token in enumerate(self.text.tokens) if token.start >= start), len(self.text.tokens))

    def _record_fields(self) -> None:
        """``record.field`` where no SQL stands: targets of INTO."""
        words = self.text.words
        for at in range(len(words) - 2):
            row = self.variables.get(words[at])
            if row is None or not row.fields or at in self._read or words[at + 1] != "." or words[at - 1] == ".":
                continue
            self.found.columns(self.text.tokens[at + 2], row.bases(words[at + 2]) or (), writes=True)


def _name(parts: Sequence[str]) -> Name:
    return Name(parts[-2] if len(parts) > 1 else None, parts[-1])


def _constant(fragment: Fragment, text: Text) -> str | None:
    """The content of a plain string constant that is all of the fragment; None of anything else."""
    if len(fragment.places) != 1:
        return None
    token = fragment.token(0)
    raw = text.raw[token.start : token.end].decode()
    plain = raw.startswith("'") and "''" not in raw and "\\" not in raw
    return raw[1:-1] if plain else None


def walk_sql(text: Text, walker: Queries, library: LibPgQuery) -> None:
    """Every statement of an SQL text; what cannot be parsed is a doubt."""
    try:
        tree = _decode(library.parse(text.raw))
    except GrammarError as error:
        walker.found.doubt(f"SQL: {error.message}")
        return
    except TooDeep:
        walker.found.doubt("SQL: nests too deep to be analysed")
        return
    for raw in tree["stmts"]:
        walker.statement(raw["stmt"], Scope())
