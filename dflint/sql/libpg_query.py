"""PostgreSQL's own grammar: a thin ctypes layer over libpg_query.

The library is the one that the `postgast` distribution ships; its Python package is never imported, because loading
its protobuf classes costs several interpreter starts. ``DFLINT_LIBPG_QUERY`` names another library file.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import msgspec

from dflint.model.errors import ParserUnavailable
from dflint.sql.library_file import REMEDY, find_library

#: PostgreSQL major whose grammar the bundled library speaks.
GRAMMAR = 18

#: PostgreSQL's parser recurses in C. A main thread's 8 MiB stack survives about this many operators or opening
#: brackets with a wide margin (measured: 50,000 pass, 100,000 kill the process).
_DEPTH_LIMIT = 16_000

#: Beyond the limit the parser runs on a thread with this much stack for each possible level (it uses about 160 bytes
#: on x86-64), up to a depth at which the stack would be 1 GiB.
_BYTES_PER_LEVEL = 1_024
_LARGEST_DEPTH = 1_000_000


#: Numbers of the scanner's comment tokens, ``-- …`` and ``/* … */``, in the grammar of PostgreSQL 18.
COMMENT_TOKENS = frozenset({275, 276})


class GrammarError(Exception):
    """PostgreSQL's grammar rejects the text.

    Attributes:
        message: PostgreSQL's message.
        position: byte offset in the text where it gave up.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class TooDeep(Exception):
    """The text nests deeper than dflint is willing to parse."""


class Token(NamedTuple):
    """A token of PostgreSQL's scanner: byte offsets and its number in the grammar."""

    start: int
    end: int
    code: int


class _Error(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.c_char_p),
        ("funcname", ctypes.c_char_p),
        ("filename", ctypes.c_char_p),
        ("lineno", ctypes.c_int),
        ("cursorpos", ctypes.c_int),
        ("context", ctypes.c_char_p),
    )


class _ParseResult(ctypes.Structure):
    _fields_ = (("tree", ctypes.c_char_p), ("stderr", ctypes.c_char_p), ("error", ctypes.POINTER(_Error)))


class _PlpgsqlResult(ctypes.Structure):
    _fields_ = (("functions", ctypes.c_char_p), ("error", ctypes.POINTER(_Error)))


class _Protobuf(ctypes.Structure):
    _fields_ = (("length", ctypes.c_size_t), ("data", ctypes.c_void_p))


class _ScanResult(ctypes.Structure):
    _fields_ = (("tokens", _Protobuf), ("stderr", ctypes.c_char_p), ("error", ctypes.POINTER(_Error)))


class LibPgQuery:
    """One loaded libpg_query."""

    def __init__(self, path: str) -> None:
        """Load the library at ``path`` and check that it has the ABI this module expects.

        Raises:
            ParserUnavailable: it cannot be loaded, or answers a known question wrongly.
        """
        try:
            library = ctypes.CDLL(path)
            for name, result in (
                ("parse", _ParseResult),
                ("parse_plpgsql", _PlpgsqlResult),
                ("scan", _ScanResult),
            ):
                function = getattr(library, f"pg_query_{name}")
                function.argtypes = (ctypes.c_char_p,)
                function.restype = result
            for name, result in (
                ("parse", _ParseResult),
                ("plpgsql_parse", _PlpgsqlResult),
                ("scan", _ScanResult),
            ):
                function = getattr(library, f"pg_query_free_{name}_result")
                function.argtypes = (result,)
                function.restype = None
            library.pg_query_parse_opts.argtypes = (ctypes.c_char_p, ctypes.c_int)
            library.pg_query_parse_opts.restype = _ParseResult
        except (OSError, AttributeError) as error:
            raise ParserUnavailable(f"libpg_query cannot be loaded from {path}: {error}", remedy=REMEDY) from error
        self._path = path
        self._library = library
        self._parse = library.pg_query_parse
        self._free_parse = library.pg_query_free_parse_result

    def __reduce__(self) -> tuple[Callable[[str], LibPgQuery], tuple[str]]:
        return _reopened, (self._path,)

    def self_test(self) -> None:
        """Ask one question of each function and compare the answers.

        Raises:
            ParserUnavailable: an answer is wrong: the library has another ABI or grammar.
        """
        try:
            version = msgspec.json.decode(self.parse(b"SELECT 1"))["version"]
            tokens = [(token.start, token.end) for token in self.scan(b"select 1 -- x")]
            comments = {token.code for token in self.scan(b"-- x\n/* y */")}
            bodies = self.parse_plpgsql(b"DO $$ begin perform 1; end $$")
            assignment = self.parse_plpgsql_expression(b"v := 1", 3)
        except (GrammarError, ValueError, KeyError) as error:
            raise ParserUnavailable(f"libpg_query fails its self-test: {error!r}", remedy=REMEDY) from error
        if version // 10_000 != GRAMMAR or (tokens != [(0, 6), (7, 8), (9, 13)] or comments != COMMENT_TOKENS):
            raise ParserUnavailable(
                f"libpg_query has another ABI or grammar than expected (version {version})", remedy=REMEDY
            )
        if b"PLpgSQL_function" not in bodies or b"PLAssignStmt" not in assignment:
            raise ParserUnavailable("libpg_query cannot parse PL/pgSQL", remedy=REMEDY)

    def parse(self, text: bytes) -> bytes:
        """Parse SQL into the JSON of PostgreSQL's raw parse tree.

        Args:
            text: UTF-8 without NUL bytes. Offsets in the tree are byte offsets into it.

        Raises:
            GrammarError: the grammar rejects it.
            TooDeep: it nests too deep to be parsed without endangering the process.
        """
        if len(text) > _DEPTH_LIMIT:
            depth = _possible_depth(text)
            if depth > _DEPTH_LIMIT:
                return _on_large_stack(self._parse_here, text, depth)
        return self._parse_here(text)

    def _parse_here(self, text: bytes) -> bytes:
        result = self._parse(text)
        try:
            if result.error:
                raise _grammar_error(result.error.contents, text)
            tree: bytes = result.tree
            return tree
        finally:
            self._free_parse(result)

    def parse_plpgsql(self, statement: bytes) -> bytes:
        """Parse the PL/pgSQL body of one CREATE FUNCTION, CREATE PROCEDURE or DO statement into JSON.

        Raises:
            GrammarError: the body is not PL/pgSQL, or uses what libpg_query cannot know (types of a catalog).
            TooDeep: as for `parse`.
        """
        if len(statement) > _DEPTH_LIMIT and _possible_depth(statement) > _DEPTH_LIMIT:
            raise TooDeep
        result = self._library.pg_query_parse_plpgsql(statement)
        try:
            if result.error:
                raise _grammar_error(result.error.contents, statement)
            functions: bytes = result.functions
            # The JSON of a trigger function's own variables has a closing brace too many.
            return functions.replace(b",{}}", b",{}").replace(b"[{}}", b"[{}")
        finally:
            self._library.pg_query_free_plpgsql_parse_result(result)

    def parse_plpgsql_expression(self, text: bytes, mode: int) -> bytes:
        """Parse an expression or assignment of PL/pgSQL into the JSON of a ``SelectStmt`` or ``PLAssignStmt``.

        Args:
            text: as it stands in the JSON of `parse_plpgsql`.
            mode: the ``parseMode`` it has there.

        Raises:
            GrammarError: the grammar rejects it.
            TooDeep: as for `parse`.
        """
        if len(text) > _DEPTH_LIMIT and _possible_depth(text) > _DEPTH_LIMIT:
            raise TooDeep
        result = self._library.pg_query_parse_opts(text, mode)
        try:
            if result.error:
                raise _grammar_error(result.error.contents, text)
            tree: bytes = result.tree
            return tree
        finally:
            self._free_parse(result)

    def scan(self, text: bytes) -> list[Token]:
        """All tokens, comments included, in order.

        Raises:
            GrammarError: the scanner rejects the text.
        """
        result = self._library.pg_query_scan(text)
        try:
            if result.error:
                raise _grammar_error(result.error.contents, text)
            return _decode_tokens(ctypes.string_at(result.tokens.data, result.tokens.length))
        finally:
            self._library.pg_query_free_scan_result(result)


#: Every token that can add a level to PostgreSQL's parse tree has one of these characters or is one of these words
#: (NOT, AND, OR, UNION, CASE); counting them is quick and never too low.
_DEEPENING = b"([+-*/%^<>=|&#~:.!@?"
_DEEPENING_WORDS = (b"ot", b"nd", b"or", b"io", b"as")


def _possible_depth(text: bytes) -> int:
    lower = text.lower()
    characters = len(text) - len(text.translate(None, _DEEPENING))
    return characters + sum(lower.count(word) for word in _DEEPENING_WORDS)


def _on_large_stack(parse: Callable[[bytes], bytes], text: bytes, depth: int) -> bytes:
    """Parse on a thread whose stack is large enough for ``depth`` levels; its memory is only used when touched."""
    import threading

    if depth > _LARGEST_DEPTH:
        raise TooDeep
    outcome: list[bytes | GrammarError] = []

    def work() -> None:
        try:
            outcome.append(parse(text))
        except GrammarError as error:
            outcome.append(error)

    before = threading.stack_size((16 << 20) + (depth * _BYTES_PER_LEVEL & ~0xFFFF))
    try:
        thread = threading.Thread(target=work)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    result = outcome[0]
    if isinstance(result, GrammarError):
        raise result
    return result


def _grammar_error(error: Any, text: bytes) -> GrammarError:
    message = (error.message or b"").decode("utf-8", "replace")
    # cursorpos counts characters from 1; our offsets are bytes from 0.
    characters = max(error.cursorpos - 1, 0)
    position = characters
    if not text.isascii():
        position = len(text.decode("utf-8", "replace")[:characters].encode())
    return GrammarError(message, min(position, len(text)))


def _decode_tokens(data: bytes) -> list[Token]:
    """Decode a pg_query.ScanResult message: field 2 holds the tokens, each {1: start, 2: end, 4: token, 5: kind}."""
    tokens: list[Token] = []
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        if tag & 7 == 0:
            _, position = _varint(data, position)
            continue
        length, position = _varint(data, position)
        if tag == 18:
            tokens.append(_decode_token(data, position, position + length))
        position += length
    return tokens


def _decode_token(data: bytes, position: int, stop: int) -> Token:
    start = finish = code = 0
    while position < stop:
        tag = data[position]
        value, position = _varint(data, position + 1)
        if tag == 8:
            start = value
        elif tag == 16:
            finish = value
        elif tag == 32:
            code = value
    return Token(start, finish, code)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    position += 1
    if byte < 128:
        return byte, position
    value, shift = byte & 127, 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7


@cache
def _reopened(path: str) -> LibPgQuery:
    """The library of values that come from another process, where it was tested."""
    return LibPgQuery(path)


def load_library() -> LibPgQuery:
    """Load and check the libpg_query to use.

    Raises:
        ParserUnavailable: there is none, or it is not the one this module was written for.
    """
    library = LibPgQuery(find_library())
    library.self_test()
    return library
