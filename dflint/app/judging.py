"""Judging one migration history: the loop at the heart of ``dflint lint``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from dflint.app.discovery import History
from dflint.app.fingerprints import Fingerprints
from dflint.app.suppressions import Suppressions
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.context import Context, Knowledge
from dflint.model.errors import DflintError
from dflint.model.finding import Coverage, Finding, NotAnalysed, ReadError
from dflint.model.migration import Notice, Section, Span, Statement
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import DoBlock, DynamicSql
from dflint.plugin.sources import MigrationFile
from dflint.rulebook.compile import Raised, Rulebook
from dflint.sql.parse import Parser, text_start
from dflint.sql.source_text import SourceText
from dflint.sql.spans import operation_span


class Settings(Struct, frozen=True):
    """What judging needs to know from the request and the configuration.

    Attributes:
        baseline: everything up to this migration is applied history: replayed and never judged. None: there is none,
            and each file is a change of its own.
    """

    version: int
    assume_in_transaction: bool = False
    baseline: str | None = None
    require_suppression_reason: bool = False


class ParsedFile(NamedTuple):
    """A file that was read and parsed, or the reason why it was not."""

    source: SourceText | None = None
    sections: tuple[Section, ...] = ()
    notices: tuple[Notice, ...] = ()
    statements: Sequence[Sequence[Statement]] = ()
    error: ReadError | None = None


class Outcome(Struct):
    """What judging some histories gave."""

    findings: list[Finding] = []
    errors: list[ReadError] = []
    not_analysed: list[NotAnalysed] = []
    files: list[str] = []
    replayed: int = 0
    suppressed: int = 0
    statements: int = 0
    opaque: int = 0
    rejected: int = 0

    def add(self, other: Outcome) -> None:
        """Take in what another gave."""
        self.findings += other.findings
        self.errors += other.errors
        self.not_analysed += other.not_analysed
        self.files += other.files
        self.replayed += other.replayed
        self.suppressed += other.suppressed
        self.statements += other.statements
        self.opaque += other.opaque
        self.rejected += other.rejected

    def coverage(self) -> Coverage:
        """How much of the judged files was understood."""
        typed = self.statements - self.opaque - self.rejected
        listed = tuple(sorted(self.not_analysed, key=lambda item: (item.file, item.line, item.reason)))
        return Coverage(self.statements, typed, self.opaque, self.rejected, listed)


class Judge:
    """Judges histories under one set of settings."""

    def __init__(
        self, settings: Settings, rulebook: Rulebook, knowledge: Knowledge, parser: Parser, catalog: Catalog
    ) -> None:
        self._settings = settings
        self._rulebook = rulebook
        self._knowledge = knowledge
        self._parser = parser
        self._catalog = catalog

    def parse(self, history: History, path: str) -> ParsedFile:
        """Read and parse one file of a history. What cannot be read is an error in the result."""
        printed = history.printed(path)
        try:
            source = SourceText(printed, history.read(path))
            directory, name = history.locate(path)
            cut = history.source.sections(MigrationFile(path, source.text, directory, history.runner, source.had_bom))
        except DflintError as error:
            return ParsedFile(
                error=ReadError(error.file or printed, error.line, error.column, error.message, error.remedy)
            )
        return ParsedFile(source, cut.sections, cut.notices, self._parser.parse(source.text, cut.sections))

    def judge(self, history: History, parsed: Callable[[str], ParsedFile]) -> Outcome:
        """Judge the selected files of a history; the files before them are replayed.

        Args:
            parsed: gives the parsed file of a path, asked for in order.
        """
        outcome = Outcome()
        fold = Fold(
            runner=history.runner,
            version=self._settings.version,
            knowledge=self._knowledge,
            catalog=self._catalog,
        )
        applied = _applied(history.files, self._settings.baseline)
        last: _FileJudge | None = None
        for position, path in enumerate(history.files[: history.last_selected + 1]):
            file = parsed(path)
            judged = path in history.selected and position >= applied
            if file.error is not None:
                outcome.errors.append(file.error)
            if file.source is None:
                continue
            if not applied or position <= applied:
                fold.begin_change()
            if not judged:
                outcome.replayed += 1
                for _ in self._contexts(fold, file):
                    pass
                continue
            last = _FileJudge(self, history, path, file)
            outcome.add(last.run(self._contexts(fold, file)))
        if last is not None:
            outcome.add(last.end(fold.end_of_run()))
        return outcome

    def _contexts(self, fold: Fold, file: ParsedFile) -> Iterable[Context]:
        assert file.source is not None
        return fold.file(
            file.source.text,
            file.sections,
            file.statements,
            assume_in_transaction=self._settings.assume_in_transaction,
        )


def _applied(files: Sequence[str], baseline: str | None) -> int:
    """How many files at the front are applied history."""
    if baseline is None:
        return 0
    for count, path in enumerate(files):
        if not before_or_at(path, baseline):
            return count
    return len(files)
