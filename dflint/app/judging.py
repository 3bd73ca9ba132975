"""Judging one migration history: the loop at the heart of ``dflint lint``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from dflint.app.discovery import History
from dflint.app.fingerprints import Fingerprints
from dflint.app.suppressions import MARK, Located, Suppressions
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.context import Context, Knowledge
from dflint.model.errors import DflintError, SourceError
from dflint.model.finding import Coverage, Finding, NotAnalysed, ReadError
from dflint.model.migration import Notice, Section, Statement
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import DoBlock, DynamicSql
from dflint.plugin.sources import MigrationFile
from dflint.rulebook.compile import Raised, Rulebook
from dflint.sql.parse import Parser, text_start
from dflint.sql.source_text import SourceText
from dflint.sql.spans import comments, operation_span


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
        self.settings = settings
        self.rulebook = rulebook
        self.parser = parser
        self._knowledge = knowledge
        self._catalog = catalog

    def parse(self, history: History, path: str) -> ParsedFile:
        """Read and parse one file of a history. What cannot be read is an error in the result."""
        printed = history.path(path)
        try:
            place = history.place(path)
            given = history.text
            content = given[1] if given and given[0] == path else _read(place.real, path, printed)
            source = SourceText(printed, content)
            file = MigrationFile(path, source.text, place, history.runner, source.had_bom)
            cut = history.source.sections(file)
        except DflintError as error:
            return ParsedFile(
                error=ReadError(error.file or printed, error.line, error.column, error.message, error.remedy)
            )
        return ParsedFile(source, cut.sections, cut.notices, self.parser.parse(source.text, cut.sections))

    def files(self, history: History) -> Sequence[str]:
        """The files that judging asks for, in order: up to the last one selected; later ones cannot matter."""
        return history.files[: history.last_selected + 1]

    def judge(self, history: History, parsed: Callable[[str], ParsedFile]) -> Outcome:
        """Judge the selected files of a history; the files before them are replayed.

        Args:
            parsed: gives the parsed file of a path; asked for in order.
        """
        outcome = Outcome()
        fold = Fold(
            runner=history.runner,
            version=self.settings.version,
            knowledge=self._knowledge,
            catalog=self._catalog,
        )
        applied = applied_files(history.files, self.settings.baseline)
        last: _FileJudge | None = None
        for position, path in enumerate(self.files(history)):
            file = parsed(path)
            if file.error is not None:
                outcome.errors.append(file.error)
            if file.source is None:
                continue
            if position <= applied or not applied:
                fold.begin_change()
            contexts = fold.file(
                file.source.text,
                file.sections,
                file.statements,
                assume_in_transaction=self.settings.assume_in_transaction,
            )
            if position < applied or path not in history.selected:
                outcome.replayed += 1
                for _ in contexts:
                    pass
                continue
            last = _FileJudge(self, history, path, file, file.source)
            last.judge(contexts)
            outcome.add(last.outcome())
        if last is not None:
            for raised in self.rulebook.judge(fold.end_of_run()):
                outcome.findings.append(last.finding_at_end(raised))
        return outcome


class _FileJudge:
    """Makes the findings of one file."""

    def __init__(self, judge: Judge, history: History, path: str, file: ParsedFile, source: SourceText) -> None:
        self._judge = judge
        self._file = file
        self._source = source
        self._fingerprints = Fingerprints(path)
        self._located: list[Located] = []
        self._outcome = Outcome(files=[source.path])

    def judge(self, contexts: Iterable[Context]) -> None:
        """Ask the rules about each operation."""
        ask = self._judge.rulebook.judge
        for context in contexts:
            for raised in ask(context):
                self._add(raised, context)

    def outcome(self) -> Outcome:
        """All that there is to say about the file."""
        outcome = self._outcome
        self._cover()
        for notice in self._file.notices:
            self._remark(notice.rule, notice.message, notice.span.start, notice.span.end)
        self._suppress()
        text = self._source.text
        for located in sorted(self._located, key=lambda one: (one.start, one.end, one.finding.rule)):
            fingerprint = self._fingerprints.of(located.finding.rule, text[located.start : located.end])
            outcome.findings.append(replace(located.finding, fingerprint=fingerprint))
        return outcome

    def finding_at_end(self, raised: Raised) -> Finding:
        """A finding about the whole run stands at the end of the last file, or where the check pointed."""
        return self._finding(raised, len(self._source.text.rstrip()), len(self._source.text.rstrip()))

    # --- findings -------------------------------------------------------------------------------------------------

    def _add(self, raised: Raised, context: Context) -> None:
        statement, operation = context.statement, context.operation
        text = self._source.text
        if statement.start == statement.end:
            start = end = len(text[: statement.end].rstrip())
        else:
            start, end = operation_span(self._judge.parser.library, text, statement, operation, raised.at)
        finding = self._finding(raised, start, end, context)
        self._located.append(Located(finding, start, end))

    def _finding(self, raised: Raised, start: int, end: int, context: Context | None = None) -> Finding:
        rule = raised.rule
        line, column = self._source.position(start)
        end_line, end_column = self._source.position(end)
        about: dict[str, Any] = {}
        if context is not None and context.statement.operations:
            about = {
                "statement": context.statement.index + 1,
                "operation": context.operation.kind,
                "target": context.identity(),
                "lock": raised.lock,
            }
        return Finding(
            rule=rule.id,
            level=raised.level,
            message=raised.message,
            file=self._source.path,
            line=line,
            column=column,
            end_line=end_line,
            end_column=end_column,
            confidence=raised.confidence,
            basis=raised.basis,
            hazards=rule.hazards,
            facts=raised.facts,
            recipes=rule.recipes,
            fix=raised.fix,
            **about,
        )

    def _remark(self, rule: str, message: str, start: int, end: int) -> None:
        """A finding that is not about an operation."""
        raised = self._judge.rulebook.remark(rule, message)
        if raised is not None:
            self._located.append(Located(self._finding(raised, start, end), start, end))

    # --- coverage and suppressions --------------------------------------------------------------------------------

    def _cover(self) -> None:
        outcome = self._outcome
        for section, statements in zip(self._file.sections, self._file.statements, strict=True):
            outcome.statements += len(statements)
            for statement in statements:
                for operation in statement.operations:
                    reason = _not_understood(operation)
                    if reason is None:
                        continue
                    if isinstance(operation, Opaque):
                        outcome.rejected += operation.rejected
                        outcome.opaque += not operation.rejected
                    if not (isinstance(operation, Opaque) and operation.rejected):
                        line, _ = self._source.position(text_start(self._source.text, statement))
                        outcome.not_analysed.append(NotAnalysed(self._source.path, line, reason))
                    elif section.direction == "down":
                        at = statement.base + max(operation.at, 0)
                        self._remark("syntax-error", f"{operation.reason} (in the part that undoes)", at, statement.end)

    def _suppress(self) -> None:
        text = self._source.text
        if MARK not in text:
            return
        judged = [
            (section, statements)
            for section, statements in zip(self._file.sections, self._file.statements, strict=True)
            if section.direction == "up"
        ]
        rulebook = self._judge.rulebook
        suppressions = Suppressions(
            text,
            [
                (comment.start, comment.end)
                for comment in comments(self._judge.parser.library, text)
                if any(section.span.start <= comment.start < section.span.end for section, _ in judged)
            ],
            known=rulebook.rules,
            active=rulebook.active,
            reason_required=self._judge.settings.require_suppression_reason,
        )
        spans = [(text_start(text, one), one.end) for _, statements in judged for one in statements]
        self._located, silenced, remarks = suppressions.apply(self._located, spans)
        self._outcome.suppressed += silenced
        for remark in remarks:
            self._remark(remark.rule, remark.message, remark.start, remark.end)


def _not_understood(operation: Operation) -> str | None:
    if isinstance(operation, Opaque):
        return operation.reason
    if isinstance(operation, DynamicSql):
        return "EXECUTE of a string that is not constant"
    if isinstance(operation, DoBlock) and not operation.understood:
        return f"DO block: {operation.reason}"
    return None


def applied_files(files: Sequence[str], baseline: str | None) -> int:
    """How many files at the front are applied history: all up to the migration that the baseline names.

    Raises:
        ConfigError: the history has no such migration.
    """
    if baseline is None:
        return 0
    count = 0
    for index, path in enumerate(files):
        if _is_migration(path, baseline):
            count = index + 1
    return count


def _is_migration(path: str, wanted: str) -> bool:
    """Whether a path is the migration that a baseline names: by path, name, name without ending, or leading number."""
    names = path.split("/")
    for name in names:
        if name in (wanted, path) or name.partition(".")[0] == wanted:
            return True
        digits = name.lstrip("VvUu")
        number = digits[: len(digits) - len(digits.lstrip("0123456789"))]
        if number and number == wanted:
            return True
    return path == wanted


def _read(directory: str, path: str, printed: str) -> bytes:
    name = f"{directory}/{path.rpartition('/')[2]}"
    try:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            return _all_of(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(
            f"cannot be read: {error.strerror}", file=printed, remedy="correct the file or leave it out"
        ) from error


def _all_of(descriptor: int) -> bytes:
    # One system call for an ordinary migration; open() and its buffers cost several times as much.
    first = os.read(descriptor, 1 << 16)
    if len(first) < 1 << 16:
        return first
    pieces = [first]
    while piece := os.read(descriptor, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)
