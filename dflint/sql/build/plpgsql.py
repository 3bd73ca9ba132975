"""PL/pgSQL bodies: the statements inside, as operations.

libpg_query parses PL/pgSQL's own grammar; the SQL inside it goes through the same builders as any other SQL. What the
reader knows of PL/pgSQL's statements is in `plpgsql_fields`: a statement or a field that is not there makes the body
not understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from dflint.model.guards import Guard
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import DoBlock, DynamicSql, Select
from dflint.model.operations.session import Commit, Rollback
from dflint.sql.build.conditions import UNANSWERED, array_elements, bind, condition
from dflint.sql.build.constant_strings import constant_string
from dflint.sql.build.nodes import Node, Unread, claim, single
from dflint.sql.build.plpgsql_fields import BRANCHES, FIELDS, PARTS
from dflint.sql.build.plpgsql_parsing import parse_body, refusal
from dflint.sql.build.plpgsql_variables import constants, turns_differ, written_in
from dflint.sql.build.queries import contents
from dflint.sql.build.statements import build
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep

_decode: Callable[[bytes], Any] = msgspec.json.decode
#: The ``parseMode`` of an expression.
EXPRESSION: Final = 2
_TOO_DEEP: Final = "nests too deep to be analysed"
#: What runs under it may run or not. A guard that can be answered has a number of its own, from 1.
UNKNOWN_GUARD: Final = Guard(0, UNANSWERED)
#: Loops over more constants than this are not followed turn by turn.
_MOST_TURNS: Final = 100


class Body(NamedTuple):
    """What a body does.

    Attributes:
        operations: in the order of the text, each with its ``body_line``.
        problem: why it, or a part of it, could not be read; "" when it could.
    """

    operations: tuple[Operation, ...]
    problem: str = ""


def read_body(
    head: Callable[[str], str],
    body: str,
    library: LibPgQuery,
    inside: Literal["do", "routine"],
    given: Mapping[str, str] = MappingProxyType({}),
) -> Body:
    """The operations of a PL/pgSQL body.

    Args:
        head: gives what stands before the body, a DO, CREATE FUNCTION or CREATE PROCEDURE statement up to AS, when
            told what stands for a type that only a catalog knows: one that is a row to libpg_query, or ``text``.
        inside: what the operations' ``inside`` is to say. What runs ("do") is followed, its branches and constants.
        given: values of parameters.
    """
    try:
        functions, body = parse_body(head, body, library)
    except GrammarError as error:
        return Body((), refusal(error))
    except (TooDeep, RecursionError):
        return Body((), f"PL/pgSQL: {_TOO_DEEP}")
    reader = _Reader(library, inside, given)
    try:
        for function in functions:
            reader.function(function["PLpgSQL_function"], body)
    except Unread as unread:
        return Body(tuple(reader.operations), f"PL/pgSQL: {unread} is not known")
    except RecursionError:
        return Body(tuple(reader.operations), f"PL/pgSQL: {_TOO_DEEP}")
    except (GrammarError, KeyError, TypeError, ValueError, IndexError) as error:
        return Body(tuple(reader.operations), f"PL/pgSQL: an unexpected shape: {error!r}")
    return Body(tuple(reader.operations))


def doubts(operations: Sequence[Operation]) -> str:
    """Why it is not known all that these operations do; "" when it is."""
    for operation in operations:
        if isinstance(operation, DynamicSql):
            return "it runs SQL that is not constant"
        if isinstance(operation, Opaque) or (isinstance(operation, DoBlock) and not operation.understood):
            return operation.reason
    return ""


class _Reader:
    """Goes through the statements of one body."""

    def __init__(self, library: LibPgQuery, inside: str, given: Mapping[str, str] = MappingProxyType({})) -> None:
        self._given = given
        self._library = library
        self._inside = inside
        self._datums: list[Node] = []
        #: Labels of blocks an EXIT may have left, and "" for a RETURN: what follows may not run.
        self._left: set[str] = set()
        self._guards: tuple[Guard, ...] = ()
        #: What a RETURN in a branch makes everything after it wait for.
        self._returned: tuple[Guard, ...] = ()
        self._conditions = 0
        #: Nothing can be said of when, or how often, the statements being read run.
        self._any_time = False
        #: Variables of known value, by name.
        self._known: dict[str, str] = {}
        self.operations: list[Operation] = []

    def function(self, function: Node, body: str) -> None:
        """Read the declarations, then the statements."""
        self._datums = function.get("datums", [])
        action = function["action"]
        begin = single(action)[1].get("lineno", 0)
        lines = body.split("\n")
        for datum in self._datums:
            variable = datum.get("PLpgSQL_var")
            if variable is not None and "default_val" in variable:
                line = variable.get("lineno", 0)
                # Declared after the outermost BEGIN: in a block that may stand in a branch.
                self.expression(variable["default_val"], line, line > begin)
        if self._inside == "do":
            self._known = constants(function, self._value, self._given)
        if any("PLpgSQL_rec" in datum and _may_have_value(datum["PLpgSQL_rec"], lines) for datum in self._datums):
            self._records(body, begin)
        self.one(action, False)

    def _records(self, body: str, begin: int) -> None:
        """The initial values of records, which libpg_query does not give."""
        from dflint.sql.build.declarations import declarations

        records = {
            (record["refname"].lower(), record.get("lineno", 0))
            for record in [datum["PLpgSQL_rec"] for datum in self._datums if "PLpgSQL_rec" in datum]
        }
        for declared in declarations(body.encode(), self._library):
            if declared.value and (declared.name, declared.line) in records:
                value = {"PLpgSQL_expr": {"query": declared.value, "parseMode": EXPRESSION}}
                self.expression(value, declared.line, declared.line > begin)

    def one(self, wrapped: Node, conditional: bool) -> None:
        """Read one statement.

        Raises:
            Unread: it is of an unknown kind, or holds something unknown.
        """
        kind, node = single(wrapped)
        fields = _READS.get(kind)
        if fields is None:
            raise Unread(kind.removeprefix("PLpgSQL_stmt_"))
        if not node.keys() <= fields.keys():
            claim(node, frozenset(fields))
        line = node.get("lineno", 0)
        before = self._guards
        if self._left:
            conditional, self._guards = True, (*before, UNKNOWN_GUARD)
        for key, read in fields.items():
            if read is not None and key in node:
                read(self, node[key], line, conditional)
        special = _SPECIAL.get(kind)
        if special is not None:
            special(self, node, line, conditional)
        self._guards = before

    # --- structure ------------------------------------------------------------------------------------------------

    def body(self, statements: list[Node], _line: int, _conditional: bool) -> None:
        """Statements that may run, or not, or more than once."""
        before, self._any_time = self._any_time, True
        self._under((UNKNOWN_GUARD,), statements)
        self._any_time = before

    def _under(self, guards: tuple[Guard, ...], statements: list[Node]) -> None:
        """Statements that run when all ``guards`` say so."""
        before = self._guards
        self._guards = (*before, *guards)
        for statement in statements:
            self.one(statement, True)
        self._guards = before

    def decide(self, node: Node, line: int, _conditional: bool) -> None:
        """IF: each branch waits for its condition, and for those before it not to be met."""
        guard = self._guard(node["cond"])
        self._under((guard,), node.get("then_body", []))
        failed: tuple[Guard, ...] = (replace(guard, wanted=False),)
        for wrapped in node.get("elsif_list", ()):
            kind, branch = single(wrapped)
            claim(branch, BRANCHES[kind])
            # A condition is only looked at when those before it were not met.
            self.expression(branch["cond"], branch.get("lineno", line), True)
            guard = self._guard(branch["cond"])
            self._under((*failed, guard), branch.get("stmts", []))
            failed = (*failed, replace(guard, wanted=False))
        self._under(failed, node.get("else_body", []))

    def _guard(self, wrapped: Node) -> Guard:
        """The guard of a condition; each has a number of its own."""
        self._conditions += 1
        asked = UNANSWERED
        if not self._any_time and self._inside == "do":
            expression = self._expression(_part(wrapped, "PLpgSQL_expr"))
            asked = UNANSWERED if expression is None else condition(expression)
        return Guard(self._conditions, asked)

    def each(self, node: Node, line: int, conditional: bool) -> None:
        """FOREACH: over constants, its body runs once for each."""
        expression = self._expression(_part(node["expr"], "PLpgSQL_expr"))
        elements = None if expression is None or "slice" in node else array_elements(expression)
        values = None if elements is None else [self._string(element) for element in elements]
        variable = self._datums[node.get("varno", 0)].get("PLpgSQL_var", {}).get("refname")
        self._loop(node, variable, values, line, conditional)

    def count(self, node: Node, line: int, conditional: bool) -> None:
        """FOR over integers: between constants, its body runs once for each."""
        bounds = [self._expression(_part(node[end], "PLpgSQL_expr")) for end in ("lower", "upper")]
        first, last = [None if bound is None else self._string(bound) for bound in bounds]
        values: list[str | None] | None = None
        if first is not None and last is not None and not node.keys() & {"step", "reverse"}:
            values = [str(number) for number in range(int(first), min(int(last), int(first) + _MOST_TURNS) + 1)]
        self._loop(node, node["var"].get("PLpgSQL_var", {}).get("refname"), values, line, conditional)

    def _loop(
        self, node: Node, variable: str | None, values: list[str | None] | None, line: int, conditional: bool
    ) -> None:
        """The body of a loop, as often as it runs; once, as statements that may run, where that is not known."""
        body = node.get("body", [])
        plain = self._inside == "do" and not self._any_time and variable is not None and turns_differ(body)
        written = {self._datums[number].get("PLpgSQL_var", {}).get("refname") for number in written_in(body)}
        if (
            plain
            and variable not in written
            and values is not None
            and len(values) <= _MOST_TURNS
            and None not in values
        ):
            before = dict(self._known)
            for value in values:
                self._known[str(variable)] = str(value)
                for statement in body:
                    self.one(statement, conditional)
            self._known = before
        else:
            self.body(body, line, conditional)
        self.end_loop(node, line, conditional)

    def branches(self, branches: list[Node], line: int, conditional: bool) -> None:
        """ELSIF and WHEN: a condition and statements."""
        for wrapped in branches:
            kind, branch = single(wrapped)
            claim(branch, BRANCHES[kind])
            # A condition is only looked at when those before it were not met.
            self.expression(branch["cond" if "cond" in branch else "expr"], branch.get("lineno", line), True)
            self.body(branch.get("stmts", []), line, conditional)

    def block(self, node: Node, line: int, conditional: bool) -> None:
        """BEGIN … EXCEPTION … END; a handler runs only after an error."""
        for statement in node.get("body", ()):
            self.one(statement, conditional)
        if "exceptions" in node:
            for handler in _part(node["exceptions"], "PLpgSQL_exception_block")["exc_list"]:
                self.body(_part(handler, "PLpgSQL_exception").get("action", []), line, conditional)
        self._left.discard(node.get("label", "-"))

    def exit(self, node: Node, _line: int, _conditional: bool) -> None:
        """EXIT and CONTINUE: only a named one can leave a block that is no loop."""
        if "label" in node and "is_exit" in node:
            self._left.add(node["label"])

    def end_loop(self, node: Node, _line: int, _conditional: bool) -> None:
        """Behind a loop its label means nothing any more."""
        self._left.discard(node.get("label", "-"))

    def leave(self, _node: Node, _line: int, _conditional: bool) -> None:
        """RETURN: what is behind it runs only where the one branch that it stands in did not."""
        if len(self._guards) == 1 and self._guards[0].number:
            (guard,) = self._guards
            self._returned = (*self._returned, replace(guard, wanted=not guard.wanted))
        else:
            self._left.add("")

    # --- SQL ------------------------------------------------------------------------------------------------------

    def sql(self, wrapped: Node, line: int, conditional: bool) -> None:
        """An SQL statement."""
        self._keep(self._built(_part(wrapped, "PLpgSQL_expr")["query"]), line, conditional, self._inside)

    def dynamic(self, wrapped: Node, line: int, conditional: bool) -> None:
        """The string of an EXECUTE."""
        expression = _part(wrapped, "PLpgSQL_expr")
        text = self._constant(expression)
        if text is None:
            self._keep([DynamicSql(text=expression["query"])], line, conditional, self._inside)
        else:
            inside = "execute" if self._inside == "do" else self._inside
            self._keep(self._built(text), line, conditional, inside)

    def expression(self, wrapped: Node, line: int, conditional: bool) -> None:
        """An expression or assignment: a query, kept when it reads a relation or (in a DO block) calls a function."""
        expression = _part(wrapped, "PLpgSQL_expr")
        text = expression["query"]
        lower = text.lower()
        if "from" not in lower and "table" not in lower and ("(" not in text or self._inside == "routine"):
            return
        try:
            (raw,) = _decode(self._library.parse_plpgsql_expression(text.encode(), expression["parseMode"]))["stmts"]
        except GrammarError as error:
            self._keep([Opaque(reason=error.message)], line, conditional, self._inside)
            return
        except (TooDeep, RecursionError):
            self._keep([Opaque(reason=_TOO_DEEP)], line, conditional, self._inside)
            return
        self._keep(
            [
                operation
                for operation in _query_operations(raw["stmt"], self._library)
                if not isinstance(operation, Select) or operation.query.reads or operation.query.functions
            ],
            line,
            conditional,
            self._inside,
        )

    def expressions(self, items: list[Node], line: int, conditional: bool) -> None:
        """Parameters of RAISE, values of USING."""
        for item in items:
            value = _part(item, "PLpgSQL_raise_option")["expr"] if "PLpgSQL_raise_option" in item else item
            self.expression(value, line, conditional)

    def cursor(self, node: Node, line: int, conditional: bool) -> None:
        """OPEN of, or a loop over, a cursor whose declaration has the query."""
        if "query" not in node and "dynquery" not in node:
            self.sql(self._datums[node["curvar"]]["PLpgSQL_var"]["cursor_explicit_expr"], line, conditional)

    def commit(self, node: Node, line: int, conditional: bool) -> None:
        """COMMIT in a DO block or procedure."""
        self._keep([Commit(chain="chain" in node)], line, conditional, self._inside)

    def rollback(self, node: Node, line: int, conditional: bool) -> None:
        """ROLLBACK in a DO block or procedure."""
        self._keep([Rollback(chain="chain" in node)], line, conditional, self._inside)

    def _built(self, text: str) -> list[Operation]:
        try:
            tree = _decode(self._library.parse(text.encode()))
        except GrammarError as error:
            return [Opaque(reason=error.message)]
        except (TooDeep, RecursionError):
            return [Opaque(reason=_TOO_DEEP)]
        return [operation for raw in tree["stmts"] for operation in build(raw["stmt"], self._library)]

    def _keep(self, operations: Sequence[Operation], line: int, conditional: bool, inside: str) -> None:
        for operation in operations:
            self.operations.append(
                replace(
                    operation,
                    at=-1,
                    body_line=line,
                    conditional=conditional or bool(self._returned) or operation.conditional,
                    guards=(*self._guards, *self._returned) if conditional or self._returned else (),
                    inside=operation.inside or inside,
                )
            )

    def _constant(self, expression: Node) -> str | None:
        """The string that an EXECUTE expression always gives; None when it depends on anything."""
        query = expression["query"]
        if "'" not in query and "$" not in query and not self._known:
            return None
        return self._value(expression)

    def _value(self, expression: Node) -> str | None:
        """The value of an expression as a string; None when it depends on anything."""
        tree = self._expression(expression)
        return None if tree is None else self._string(tree)

    def _expression(self, expression: Node) -> Node | None:
        """The wrapped tree of an expression without FROM, with variables of known value replaced; None for others."""
        try:
            tree = _decode(
                self._library.parse_plpgsql_expression(expression["query"].encode(), expression["parseMode"])
            )
            select = tree["stmts"][0]["stmt"]["SelectStmt"]
            if not select.keys() <= {"targetList", "limitOption", "op"}:
                return None
            (target,) = select["targetList"]
            found: Node = target["ResTarget"]["val"]
        except (GrammarError, TooDeep, RecursionError, KeyError, ValueError, IndexError):
            return None
        return bind(found, self._known) if self._known else found

    def _string(self, node: Node) -> str | None:
        """The string that a wrapped expression always gives; None when it depends on anything."""
        try:
            return constant_string(node)
        except (KeyError, ValueError):
            return None


PL_ASSIGN_STMT: Final = frozenset({"name", "indirection", "nnames", "val", "location"})


def _query_operations(stmt: Node, library: LibPgQuery) -> list[Operation]:
    """The operations of a wrapped query or ``PLAssignStmt``."""
    kind, node = single(stmt)
    if kind != "PLAssignStmt":
        return list(build(stmt, library))
    claim(node, PL_ASSIGN_STMT)
    subscripts = [step for step in node.get("indirection", ()) if "A_Indices" in step]
    before = [Select(query=contents(step)) for step in subscripts]
    return [*before, *build({"SelectStmt": node["val"]}, library)]


def _part(wrapped: Node, kind: str) -> Node:
    """The content of a wrapped node of this kind."""
    node: Node = wrapped[kind]
    if not node.keys() <= PARTS[kind]:
        claim(node, PARTS[kind])
    return node


def _may_have_value(record: Node, lines: list[str]) -> bool:
    """Whether the declaration of a record may go on with an initial value."""
    number = record.get("lineno", 0)
    line = lines[number - 1] if number else ";"
    return "=" in line or ";" not in line or "default" in line.lower()


_Read = Callable[[_Reader, Any, int, bool], None]

_ROLES: Final[dict[str, _Read]] = {
    "expression": _Reader.expression,
    "expressions": _Reader.expressions,
    "sql": _Reader.sql,
    "dynamic": _Reader.dynamic,
    "body": _Reader.body,
    "branches": _Reader.branches,
}

_READS: Final = {
    kind: {key: _ROLES[role] if role else None for key, role in fields.items()} for kind, fields in FIELDS.items()
}

#: What a kind does besides what its fields say.
_SPECIAL: Final[dict[str, _Read]] = {
    "PLpgSQL_stmt_block": _Reader.block,
    "PLpgSQL_stmt_exit": _Reader.exit,
    "PLpgSQL_stmt_return": _Reader.leave,
    "PLpgSQL_stmt_open": _Reader.cursor,
    "PLpgSQL_stmt_forc": _Reader.cursor,
    "PLpgSQL_stmt_commit": _Reader.commit,
    "PLpgSQL_stmt_rollback": _Reader.rollback,
    "PLpgSQL_stmt_if": _Reader.decide,
    "PLpgSQL_stmt_foreach_a": _Reader.each,
    "PLpgSQL_stmt_fori": _Reader.count,
    **{f"PLpgSQL_stmt_{kind}": _Reader.end_loop for kind in ("loop", "while", "fors", "dynfors")},
}
