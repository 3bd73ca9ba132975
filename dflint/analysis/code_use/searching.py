"""Searches the files of a program for uses of what a change touches."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from typing import Final

from dflint.analysis.code_use.models import named
from dflint.analysis.code_use.positions import Positions
from dflint.analysis.code_use.sql_text import Reading, SqlReader, looks_like_a_statement, looks_like_sql
from dflint.analysis.code_use.strings import HOLE, Written, strings
from dflint.analysis.query_use import Wanted
from dflint.analysis.texts import may_name, searchable
from dflint.model.catalog import Catalog
from dflint.model.errors import SourceError
from dflint.model.impact import Impact
from dflint.model.migration import Section, Span
from dflint.model.names import Name
from dflint.model.quoting import quote_identifier
from dflint.model.uses import CodeUse, CodeUses, UnreadFile, UseCertainty
from dflint.sql.parse import Parser, text_start
from dflint.sql.references import query_references
from dflint.sql.source_text import SourceText

_SUREST_FIRST: Final[tuple[UseCertainty, ...]] = ("certain", "likely", "possible")
_EXCERPT: Final = 120
#: In so many bytes the first two lines of a module, which may say how it is encoded, are sure to begin.
_HEAD: Final = 200


class CodeSearch:
    """Collects the uses in one file after another."""

    def __init__(self, impact: Impact, catalog: Catalog, parser: Parser, search_path: tuple[str, ...]) -> None:
        self._wanted = Wanted(impact, catalog)
        self._catalog, self._parser, self._path = catalog, parser, search_path
        self._reader = SqlReader(catalog, parser, search_path)
        self._found: dict[tuple[str, int, int, str], CodeUse] = {}
        self._unread: list[UnreadFile] = []
        self._looked_at = 0
        tables = sorted({(key[1], key[2]) for key in self._wanted.keys if key[0] in ("relation", "column")})
        #: The tables that conditions may be over, as SQL.
        self._tables = [f"{quote_identifier(schema)}.{quote_identifier(name)}" for schema, name in tables]
        columns = {searchable(key[3]) for key in self._wanted.keys if key[3] is not None}
        self._words = {searchable(key[2]) for key in self._wanted.keys} | columns

    def not_read(self, file: str, reason: str) -> None:
        """Note a file that could not be read."""
        self._unread.append(UnreadFile(file, reason))

    def result(self) -> CodeUses:
        """What was found, by file and place."""
        uses = sorted(self._found.values(), key=lambda use: (use.file, use.line, use.column, use.identity))
        return CodeUses(tuple(uses), self._looked_at, tuple(self._unread))

    # --- SQL ------------------------------------------------------------------------------------------------------

    def sql(self, file: str, content: bytes) -> None:
        """Search a file of SQL."""
        self._looked_at += 1
        try:
            source = SourceText(file, content)
        except SourceError as error:
            self.not_read(file, error.message)
            return
        text = source.text
        (statements,) = self._parser.parse(text, [Section("up", Span(0, len(text)))])
        for statement in statements:
            start = text_start(text, statement)
            own = text[start : statement.end].decode()
            if not self._wanted.may_be_in(own):
                continue
            references = query_references(own, self._catalog, self._path, self._parser)
            line, column = source.position(start)
            for reference in references.references:
                match = self._wanted.match(reference, own)
                if match is None:
                    continue
                first = reference.line == 1
                place = line + reference.line - 1, reference.column_number + (column - 1 if first else 0)
                self._add(file, place, match.identity, match.certainty, own, writes=reference.writes)
            if references.unreadable is not None and self._holds_word(own):
                self.not_read(file, f"line {line}: {references.unreadable}")

    # --- Python ---------------------------------------------------------------------------------------------------

    def python(self, file: str, content: bytes, application: str | None = None) -> None:
        """Search a Python module.

        Args:
            application: Django's name of the application that it belongs to, where it is known.
        """
        self._looked_at += 1
        if application is None and not self._may_hold_word(content):
            return
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            source = content.decode(encoding)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except SyntaxError as error:
            where = "" if error.lineno is None else f"line {error.lineno}: "
            self.not_read(file, f"{where}it is no Python of this version: {error.msg}")
            return
        except (ValueError, LookupError) as error:
            self.not_read(file, f"it cannot be decoded: {error}")
            return
        except (RecursionError, MemoryError):
            self.not_read(file, "it nests too deep")
            return
        positions = Positions(source)
        for written in strings(tree):
            self._string(file, written, positions)
        for place in named(tree, application):
            key = self._key(place.table, place.column)
            identity = self._wanted.keys.get(key) if key is not None else None
            if identity is not None:
                excerpt = ast.unparse(place.node) if isinstance(place.node, ast.expr | ast.keyword) else ""
                self._add(file, positions.of(place.node), identity, place.certainty, excerpt, inside=place.node)

    def _key(self, table: Name, column: str | None) -> tuple[str, str, str, str | None] | None:
        """What a mapped name means: a table of the search_path, where no schema is given."""
        kind = "relation" if column is None else "column"
        schemas = self._path if table.schema is None else (table.schema,)
        for schema in schemas:
            if self._catalog.relations.get(Name(schema, table.name)) is not None:
                return kind, schema, table.name, column
        return None

    def _string(self, file: str, written: Written, positions: Positions) -> None:
        text = written.text
        if not self._holds_word(text):
            return
        reading: Reading | None = None
        if looks_like_sql(text):
            reading = self._reader.statement(text)
            if reading is None and looks_like_a_statement(text):
                self._words_of(file, written, positions, "possible")
        elif self._exact(file, written, positions):
            return
        else:
            reading = next(filter(None, (self._reader.piece(text, table) for table in self._tables)), None)
        for reference in reading.references if reading is not None else ():
            match = self._wanted.match(reference, text)
            if match is not None and reading is not None:
                sure = max(match.certainty, reading.certainty, key=_SUREST_FIRST.index)
                place = self._place(written, reference.start, reference.column or reference.name, positions)
                self._add(file, place, match.identity, sure, text, writes=reference.writes)

    def _exact(self, file: str, written: Written, positions: Positions) -> bool:
        """A string that is nothing but a name; whether it is."""
        parts = written.text.replace('"', "").split(".")
        for key, identity in self._wanted.keys.items():
            whole = [part for part in key[1:] if part is not None]
            if 0 < len(parts) <= len(whole) and parts == whole[-len(parts) :]:
                sure: UseCertainty = "likely" if len(parts) > 1 else "possible"
                self._add(file, positions.of(written.node), identity, sure, written.text)
        return " " not in written.text.strip()

    def _words_of(self, file: str, written: Written, positions: Positions, certainty: UseCertainty) -> None:
        """The target's own names in a statement that cannot be read."""
        for key, identity in self._wanted.keys.items():
            word = key[3] or key[2]
            found = re.search(rf"(?<![\w$]){re.escape(word)}(?![\w$])", written.text, re.IGNORECASE)
            if found is not None:
                place = self._place(written, found.start(), word, positions)
                self._add(file, place, identity, certainty, written.text)

    def _may_hold_word(self, content: bytes) -> bool:
        """Whether a file is worth being parsed: most hold none of the names, in the encoding that most have."""
        return b"coding" in content[:_HEAD].lower() or self._holds_word(content.decode(errors="replace"))

    def _holds_word(self, text: str) -> bool:
        return may_name(searchable(text), self._words)

    def _place(self, written: Written, offset: int, word: str, positions: Positions) -> tuple[int, int]:
        node, inside = written.node_at(offset)
        return positions.of(written.node) if node is None else positions.inside(node, inside, word)

    def _add(
        self,
        file: str,
        place: tuple[int, int],
        identity: str,
        certainty: UseCertainty,
        text: str,
        *,
        writes: bool = False,
        inside: ast.AST | None = None,
    ) -> None:
        """Note a use; of one place that is found in several ways the surest stays."""
        key = (file, *place, identity)
        known = self._found.get(key)
        if known is not None and _SUREST_FIRST.index(known.certainty) <= _SUREST_FIRST.index(certainty):
            return
        excerpt = " ".join(text.replace(HOLE, "{…}").split())
        if isinstance(inside, ast.ClassDef):
            excerpt = f"class {inside.name}"
        elif isinstance(inside, ast.AnnAssign | ast.Assign):
            excerpt = ast.unparse(inside)
        if len(excerpt) > _EXCERPT:
            excerpt = f"{excerpt[: _EXCERPT - 1]}…"
        self._found[key] = CodeUse(file, *place, identity, certainty, excerpt, writes)
