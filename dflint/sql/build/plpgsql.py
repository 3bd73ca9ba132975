"""PL/pgSQL bodies: the statements inside, as operations.

libpg_query parses PL/pgSQL's own grammar; the SQL inside it goes through the same builders as any other SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import DynamicSql
from dflint.model.operations.session import Commit, Rollback
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.sql.build.nodes import Node, Unread, const_value, single, strings
from dflint.sql.build.statements import build
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep


class Body(NamedTuple):
    """What a body does.

    Attributes:
        operations: in the order of the text, each with its ``body_line``.
        problem: why it, or a part of it, could not be read; "" when it could.
    """

    operations: tuple[Operation, ...]
    problem: str = ""


def dollar_quoted(text: str) -> str:
    """The text as a dollar-quoted string."""
    tag = "body"
    while f"${tag}$" in text:
        tag += "_"
    return f"${tag}${text}${tag}$"


def read_body(statement: str, library: LibPgQuery, inside: str) -> Body:
    """The operations of a PL/pgSQL body.

    Args:
        statement: a complete DO, CREATE FUNCTION or CREATE PROCEDURE statement.
        inside: what the operations' ``inside`` is to say.
    """
    try:
        functions = msgspec.json.decode(library.parse_plpgsql(statement.encode()))
    except GrammarError as error:
        return Body((), f"PL/pgSQL: {error.message}")
    except (TooDeep, RecursionError):
        return Body((), "PL/pgSQL: nests too deep to be analysed")
    reader = _Reader(library, inside)
    try:
        for function in functions:
            if "PLpgSQL_function" in function and "action" in function["PLpgSQL_function"]:
                reader.one(function["PLpgSQL_function"]["action"], conditional=False)
    except Unread as unread:
        return Body(tuple(reader.operations), f"PL/pgSQL: {unread} is not known")
    except (KeyError, TypeError, ValueError) as error:
        return Body(tuple(reader.operations), f"PL/pgSQL: an unexpected shape: {error!r}")
    return Body(tuple(reader.operations))


#: Statements that run no SQL of their own but expressions.
_WITHOUT_SQL = frozenset(
    """PLpgSQL_stmt_exit PLpgSQL_stmt_return PLpgSQL_stmt_return_next PLpgSQL_stmt_raise PLpgSQL_stmt_assert
    PLpgSQL_stmt_getdiag PLpgSQL_stmt_fetch PLpgSQL_stmt_close PLpgSQL_stmt_assign""".split()
)


class _Reader:
    """Goes through the statements of one body."""

    def __init__(self, library: LibPgQuery, inside: str) -> None:
        self._library = library
        self._inside = inside
        self.operations: list[Operation] = []

    def one(self, wrapped: Node, *, conditional: bool) -> None:
        """Read one statement.

        Raises:
            Unread: it is of an unknown kind.
        """
        kind, node = single(wrapped)
        if kind in _WITHOUT_SQL:
            return
        read = _READERS.get(kind)
        if read is None:
            raise Unread(kind.removeprefix("PLpgSQL_stmt_"))
        read(self, node, conditional)

    def all(self, statements: Sequence[Node], *, conditional: bool) -> None:
        """Read several."""
        for statement in statements:
            self.one(statement, conditional=conditional)

    # --- structure ------------------------------------------------------------------------------------------------

    def block(self, node: Node, conditional: bool) -> None:
        """BEGIN … EXCEPTION … END; a handler runs only after an error."""
        self.all(node.get("body", ()), conditional=conditional)
        handlers = node.get("exceptions", {}).get("PLpgSQL_exception_block", {})
        for handler in handlers.get("exc_list", ()):
            self.all(handler["PLpgSQL_exception"].get("action", ()), conditional=True)

    def branch(self, node: Node, _conditional: bool) -> None:
        """IF and CASE."""
        self.all(node.get("then_body", ()), conditional=True)
        for branch in node.get("elsif_list", ()):
            self.all(branch["PLpgSQL_if_elsif"].get("stmts", ()), conditional=True)
        self.all(node.get("else_body", ()), conditional=True)
        for branch in node.get("case_when_list", ()):
            self.all(branch["PLpgSQL_case_when"].get("stmts", ()), conditional=True)
        self.all(node.get("else_stmts", ()), conditional=True)

    def loop(self, node: Node, conditional: bool) -> None:
        """Loops of all kinds: the query runs, the body perhaps."""
        query = node.get("query")
        if query is not None:
            self._sql(query, node, conditional)
        self.all(node.get("body", ()), conditional=True)

    def dynamic_loop(self, node: Node, conditional: bool) -> None:
        """FOR … IN EXECUTE."""
        self._dynamic(node["query"], node, conditional)
        self.all(node.get("body", ()), conditional=True)

    # --- statements -----------------------------------------------------------------------------------------------

    def sql(self, node: Node, conditional: bool) -> None:
        """An SQL statement, PERFORM, CALL."""
        self._sql(node["sqlstmt"] if "sqlstmt" in node else node["expr"], node, conditional)

    def dynamic(self, node: Node, conditional: bool) -> None:
        """EXECUTE."""
        self._dynamic(node["query"], node, conditional)

    def query_or_dynamic(self, node: Node, conditional: bool) -> None:
        """RETURN QUERY and OPEN."""
        if "dynquery" in node:
            self._dynamic(node["dynquery"], node, conditional)
        elif "query" in node:
            self._sql(node["query"], node, conditional)

    def commit(self, node: Node, conditional: bool) -> None:
        """COMMIT in a DO block or procedure."""
        self._keep([Commit(chain=node.get("chain", False))], node, conditional, self._inside)

    def rollback(self, node: Node, conditional: bool) -> None:
        """ROLLBACK in a DO block or procedure."""
        self._keep([Rollback(chain=node.get("chain", False))], node, conditional, self._inside)

    def _sql(self, wrapped: Node, node: Node, conditional: bool) -> None:
        text = wrapped["PLpgSQL_expr"]["query"]
        self._keep(self._built(text), node, conditional, self._inside)

    def _dynamic(self, wrapped: Node, node: Node, conditional: bool) -> None:
        source = wrapped["PLpgSQL_expr"]["query"]
        text = self._constant(source)
        if text is None:
            self._keep([DynamicSql(text=source)], node, conditional, self._inside)
        else:
            self._keep(self._built(text), node, conditional, "execute")

    def _built(self, text: str) -> list[Operation]:
        try:
            tree = msgspec.json.decode(self._library.parse(text.encode()))
        except GrammarError as error:
            return [Opaque(reason=error.message)]
        except (TooDeep, RecursionError):
            return [Opaque(reason="nests too deep to be analysed")]
        return [operation for raw in tree["stmts"] for operation in build(raw["stmt"], self._library)]

    def _keep(self, operations: Sequence[Operation], node: Node, conditional: bool, inside: str) -> None:
        line = node.get("lineno", 0)
        for operation in operations:
            self.operations.append(
                replace(
                    operation,
                    at=-1,
                    body_line=line,
                    conditional=conditional or operation.conditional,
                    inside=operation.inside or inside,
                )
            )

    def _constant(self, source: str) -> str | None:
        """The string that an EXECUTE expression always gives; None when it depends on anything."""
        try:
            tree = msgspec.json.decode(self._library.parse(b"SELECT " + source.encode()))
            (target,) = tree["stmts"][0]["stmt"]["SelectStmt"]["targetList"]
            return constant_string(target["ResTarget"]["val"])
        except (GrammarError, TooDeep, RecursionError, KeyError, ValueError, IndexError):
            return None


_READERS: dict[str, Callable[[_Reader, Node, bool], None]] = {
    "PLpgSQL_stmt_block": _Reader.block,
    "PLpgSQL_stmt_if": _Reader.branch,
    "PLpgSQL_stmt_case": _Reader.branch,
    "PLpgSQL_stmt_loop": _Reader.loop,
    "PLpgSQL_stmt_while": _Reader.loop,
    "PLpgSQL_stmt_fori": _Reader.loop,
    "PLpgSQL_stmt_fors": _Reader.loop,
    "PLpgSQL_stmt_forc": _Reader.loop,
    "PLpgSQL_stmt_foreach_a": _Reader.loop,
    "PLpgSQL_stmt_dynfors": _Reader.dynamic_loop,
    "PLpgSQL_stmt_execsql": _Reader.sql,
    "PLpgSQL_stmt_perform": _Reader.sql,
    "PLpgSQL_stmt_call": _Reader.sql,
    "PLpgSQL_stmt_dynexecute": _Reader.dynamic,
    "PLpgSQL_stmt_return_query": _Reader.query_or_dynamic,
    "PLpgSQL_stmt_open": _Reader.query_or_dynamic,
    "PLpgSQL_stmt_commit": _Reader.commit,
    "PLpgSQL_stmt_rollback": _Reader.rollback,
}


def constant_string(node: Node) -> str | None:
    """The value of an expression made of constants: literals, ``||``, format(), quote_ident(), quote_literal()."""
    kind, content = single(node)
    if kind == "A_Const":
        return None if "isnull" in content else const_value(content)
    if kind == "TypeCast":
        return constant_string(content["arg"])
    if kind == "A_Expr" and strings(content["name"]) == ["||"] and "lexpr" in content:
        left, right = constant_string(content["lexpr"]), constant_string(content["rexpr"])
        return None if left is None or right is None else left + right
    if kind == "FuncCall":
        values = [constant_string(arg) for arg in content.get("args", ())]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            return _constant_call(strings(content["funcname"])[-1], known)
    return None


def _constant_call(name: str, args: list[str]) -> str | None:
    if name == "quote_ident" and len(args) == 1 and args[0]:
        return quote_identifier(args[0])
    if name == "quote_literal" and len(args) == 1:
        return quote_literal(args[0])
    return _formatted(args[0], iter(args[1:])) if name == "format" else None


def _formatted(template: str, args: Iterator[str]) -> str | None:
    """What format() gives; None for anything but plain %s, %I, %L and %%."""
    pieces = template.split("%")
    text = pieces[0]
    rest = iter(pieces[1:])
    for piece in rest:
        if piece == "":  # %%: the piece between the two signs
            text += "%" + next(rest, "")
            continue
        value = next(args, None)
        if value is None or piece[0] not in "sIL":
            return None
        text += value if piece[0] == "s" else quote_identifier(value) if piece[0] == "I" else quote_literal(value)
        text += piece[1:]
    return text
