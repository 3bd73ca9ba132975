"""Texts that the server prints (expressions, types, queries) as values, by dflint's own reading of SQL.

Each text is parsed once. Texts are parsed many at a time, since most of a call's cost does not depend on its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Final, TypeVar

import msgspec

from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import PartitionBound, PartitionKey, Query
from dflint.sql.build.expressions import expression
from dflint.sql.build.nodes import Node, Unread, type_name
from dflint.sql.build.partitions import partition_bound, partition_key
from dflint.sql.build.queries import query
from dflint.sql.build.statements import build
from dflint.sql.libpg_query import GrammarError, LibPgQuery, TooDeep, load_library

T = TypeVar("T")

#: Texts in one call of the parser.
_BATCH: Final = 400

_NEXTVAL: Final = re.compile(r"nextval\('((?:[^']|'')*)'::regclass\)\Z")
_REGCLASS: Final = Type(Name("pg_catalog", "regclass"))
_NEXTVAL_NAME: Final = Name("pg_catalog", "nextval")


class Texts:
    """Parses what the server printed, and remembers it."""

    def __init__(self, library: LibPgQuery) -> None:
        self._library = library
        self._expressions: dict[str, tuple[Expr, ...]] = {}
        self._types: dict[str, Type] = {}
        self._bounds: dict[str, PartitionBound | None] = {}

    def learn_expressions(self, texts: Iterable[str]) -> None:
        """Parse texts that `expression` will be asked for."""
        new = [text for text in dict.fromkeys(texts) if text not in self._expressions]
        plain: list[str] = []
        for text in new:
            found = _NEXTVAL.match(text)
            if found is None:
                plain.append(text)
            else:
                self._expressions[text] = (_nextval(found.group(1).replace("''", "'")),)
        for text, node in zip(plain, self._parse([f"SELECT {text}" for text in plain]), strict=True):
            self._expressions[text] = _read(lambda node: _targets(node, expression), node, (_not_read(text),))

    def expression(self, text: str | None) -> Expr | None:
        """The expression, ``other`` where it cannot be read; None for None."""
        found = self.expressions(text)
        return found[0] if found else None

    def expressions(self, text: str | None) -> tuple[Expr, ...]:
        """The expressions of a text with commas between them."""
        if text is None:
            return ()
        if text not in self._expressions:
            self.learn_expressions([text])
        return self._expressions[text]

    def learn_types(self, texts: Iterable[str]) -> None:
        """Parse texts of `format_type` that `type` will be asked for."""
        new = [text for text in dict.fromkeys(texts) if text not in self._types]
        for text, node in zip(new, self._parse([f"SELECT NULL::{text}" for text in new]), strict=True):
            unread: tuple[Type, ...] = (Type(Name(None, text)),)
            self._types[text] = _read(lambda node: _targets(node, _cast_type), node, unread)[0]

    def type(self, text: str) -> Type:
        """The type that `format_type` printed."""
        if text not in self._types:
            self.learn_types([text])
        return self._types[text]

    def bounds(self, texts: Sequence[str]) -> list[PartitionBound | None]:
        """Partition bounds; None where one cannot be read."""
        nodes = self._parse([f"CREATE TABLE a PARTITION OF b {text}" for text in texts])
        return [_read(lambda node: partition_bound(node["CreateStmt"]["partbound"]), node, None) for node in nodes]

    def partition_key(self, text: str) -> PartitionKey | None:
        """A partition key, such as ``RANGE (lower(a))``."""
        (node,) = self._parse([f"CREATE TABLE a () PARTITION BY {text}"])
        return _read(lambda node: partition_key(node["CreateStmt"]["partspec"]), node, None)

    def queries(self, texts: Sequence[str]) -> list[Query | None]:
        """The queries of views; None where one cannot be read."""
        return [_read(query, node, None) for node in self._parse([text.rstrip().rstrip(";") for text in texts])]

    def statement(self, text: str) -> Sequence[Operation]:
        """The operations of one statement; none where the grammar rejects it."""
        (node,) = self._parse([text])
        return () if node is None else _read(lambda node: build(node, self._library), node, ())

    def _parse(self, texts: Sequence[str]) -> list[Node | None]:
        """The wrapped statement of each text, None where the grammar rejects it or it is too deep."""
        nodes: list[Node | None] = []
        for start in range(0, len(texts), _BATCH):
            nodes += self._parse_batch(texts[start : start + _BATCH])
        return nodes

    def _parse_batch(self, texts: Sequence[str]) -> list[Node | None]:
        try:
            tree = msgspec.json.decode(self._library.parse(";\n".join(texts).encode()))
            found: list[Node | None] = [statement["stmt"] for statement in tree.get("stmts", ())]
        except (GrammarError, TooDeep, RecursionError, ValueError):
            found = []
        if len(found) == len(texts):
            return found
        if len(texts) < 2:
            return [None] * len(texts)
        middle = len(texts) // 2
        return [*self._parse_batch(texts[:middle]), *self._parse_batch(texts[middle:])]


def _read(build_value: Callable[[Node], T], node: Node | None, unread: T) -> T:
    if node is None:
        return unread
    try:
        return build_value(node)
    except (Unread, RecursionError, KeyError):
        return unread


def _targets(node: Node, build_value: Callable[[Node], T]) -> tuple[T, ...]:
    return tuple([build_value(target["ResTarget"]["val"]) for target in node["SelectStmt"]["targetList"]])


def _cast_type(node: Node) -> Type:
    return type_name(node["TypeCast"]["typeName"])


def _not_read(text: str) -> Expr:
    """Stands for an expression that the parser does not know: of a later major, or an extension's own deparsing."""
    return Expr("other", name=Name(None, "unread"), value=text)


def _nextval(sequence: str) -> Expr:
    constant = Expr("cast", args=(Expr("constant", value=sequence),), type=_REGCLASS)
    return Expr("function", name=_NEXTVAL_NAME, args=(constant,))


@cache
def parser_library() -> LibPgQuery:
    """The one libpg_query that the reader uses.

    Raises:
        ParserUnavailable: there is none.
    """
    return load_library()
