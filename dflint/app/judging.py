"""Judging one migration history: the loop at the heart of ``dflint lint``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from dflint.app.discovery import History
from dflint.app.fingerprints import Fingerprints
from dflint.app.loading import LoadedFile, applied_files
from dflint.app.located import Located
from dflint.app.outcome import Outcome, Settings
from dflint.history.fold import Fold
from dflint.history.sections import refuses_mix
from dflint.model.catalog import Catalog
from dflint.model.context import Context, Knowledge
from dflint.model.finding import Finding, NotAnalysed, RuleCard
from dflint.model.migration import Statement
from dflint.model.operations.base import Opaque
from dflint.rulebook.compile import Rulebook
from dflint.rulebook.rule import Raised
from dflint.sql.parse import Parser, text_start
from dflint.sql.source_text import SourceText
from dflint.sql.spans import comments, operation_span

_MIXED = (
    "The runner refuses a migration that mixes statements which cannot run in a transaction with others: "
    "give them migrations of their own, or allow mixing in its configuration"
)
#: What a file must contain for there to be any directive.
_DIRECTIVE = b"dflint:"
#: How template placeholders begin.
_PLACEHOLDER_MARKS = (b"{{", b"${", b"@", b"<%")


class ParsedFile(NamedTuple):
    """A loaded file with the statements of its sections; none where it could not be read."""

    loaded: LoadedFile
    statements: Sequence[Sequence[Statement]] = ()


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

    def parse(self, loaded: LoadedFile) -> ParsedFile:
        """Parse a file."""
        if loaded.source is None:
            return ParsedFile(loaded)
        return ParsedFile(loaded, self.parser.parse(loaded.source.text, loaded.cut.sections))

    def judge(self, history: History, files: Iterable[ParsedFile]) -> Outcome:
        """Judge the selected files of a history; the others are replayed.

        Args:
            files: all that are needed, in order.
        """
        outcome = Outcome()
        fold = Fold(
            runner=history.runner,
            version=self.settings.version,
            knowledge=self._knowledge,
            catalog=self._catalog,
            from_the_start=len(history.files) > 1 and self._catalog.basis == "replay",
            library=self.parser.library,
        )
        applied = applied_files(history.files, self.settings.baseline)
        last: _FileJudge | None = None
        for position, file in enumerate(files):
            path, source, cut, error = file.loaded
            if error is not None:
                outcome.errors.append(error)
            if source is None:
                continue
            if position <= applied or not (applied or history.after_baseline):
                fold.begin_change()
            contexts = fold.file(
                source.text,
                cut.sections,
                file.statements,
                assume_in_transaction=self.settings.assume_in_transaction,
            )
            if position < applied or path not in history.selected:
                outcome.replayed += 1
                for _ in contexts:
                    pass
                continue
            last = _FileJudge(self, path, file, source)
            last.judge(contexts)
            outcome.add(last.outcome())
        if last is not None:
            outcome.findings += [last.finding_at_end(raised) for raised in self.rulebook.judge(fold.end_of_run())]
        outcome.rules = {rule: self._card(rule) for rule in {finding.rule for finding in outcome.findings}}
        return outcome

    def _card(self, rule_id: str) -> RuleCard:
        rule = self.rulebook.rules[rule_id]
        return RuleCard(rule.id, rule.title, rule.why, rule.level, rule.hazards, rule.tags)


class _FileJudge:
    """Makes the findings of one file."""

    def __init__(self, judge: Judge, path: str, file: ParsedFile, source: SourceText) -> None:
        self._judge = judge
        self._sections = file.loaded.cut.sections
        self._notices = file.loaded.cut.notices
        self._statements = file.statements
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
        for notice in self._notices:
            self._remark(notice.rule, notice.message, notice.span.start, notice.span.end)
        for section, statements in zip(self._sections, self._statements, strict=True):
            if section.direction == "up" and refuses_mix(self._source.text, section, statements):
                self._remark("runner-refuses-file", _MIXED, section.span.start, section.span.start)
        self._suppress()
        text = self._source.text
        for located in sorted(self._located, key=lambda one: (one.start, one.end, one.finding.rule)):
            fingerprint = self._fingerprints.of(located.finding.rule, text[located.start : located.end])
            outcome.findings.append(replace(located.finding, fingerprint=fingerprint))
        if outcome.findings and any(mark in text for mark in _PLACEHOLDER_MARKS):
            outcome.findings = _as_written(outcome.findings, text)
        return outcome

    def finding_at_end(self, raised: Raised) -> Finding:
        """A finding about the whole run stands at the end of the last file, or where the check pointed."""
        return self._finding(raised, len(self._source.text.rstrip()), len(self._source.text.rstrip()))

    # --- findings -------------------------------------------------------------------------------------------------

    def _add(self, raised: Raised, context: Context) -> None:
        statement, operation = context.statement, context.operation
        text = self._source.text
        if statement.start == statement.end and raised.at >= 0:
            start, end = raised.at, raised.at + len(text[raised.at :].partition(b"\n")[0].rstrip())
        elif statement.start == statement.end:
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
        for section, statements in zip(self._sections, self._statements, strict=True):
            outcome.statements += len(statements)
            for statement in statements:
                opaque = [operation for operation in statement.operations if isinstance(operation, Opaque)]
                if any(operation.rejected for operation in opaque):
                    outcome.rejected += 1
                    if section.direction == "down":
                        at = statement.base + max(opaque[0].at, 0)
                        self._remark("syntax-error", f"{opaque[0].reason}, in the part that undoes", at, statement.end)
                    continue
                outcome.opaque += bool(opaque)
                for reason in _not_understood(statement):
                    line, _ = self._source.position(text_start(self._source.text, statement))
                    outcome.not_analysed.append(NotAnalysed(self._source.path, line, reason))

    def _suppress(self) -> None:
        text = self._source.text
        if _DIRECTIVE not in text:
            return
        from dflint.app.suppressions import Suppressions

        judged = [
            (section, statements)
            for section, statements in zip(self._sections, self._statements, strict=True)
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


def _as_written(findings: list[Finding], text: bytes) -> list[Finding]:
    """The findings, with placeholders in place of the identifiers that stood for them while parsing."""
    from dflint.sql.mask import placeholders

    # One may begin like another.
    written = dict(sorted(placeholders(text).items(), key=lambda item: -len(item[0])))

    def restored(message: str) -> str:
        for masked, placeholder in written.items():
            message = message.replace(masked, placeholder)
        return message

    return [
        replace(found, message=restored(found.message), fix=restored(found.fix)) if written else found
        for found in findings
    ]


def _not_understood(statement: Statement) -> Iterator[str]:
    """Reasons why some of what the statement does is not known."""
    for operation in statement.operations:
        # By kind, so that the types of data statements are not imported where there are none.
        if isinstance(operation, Opaque):
            yield operation.reason
        elif operation.kind == "dynamic_sql":
            yield "EXECUTE of a string that is not constant"
        elif operation.kind == "do_block" and not getattr(operation, "understood", True):
            yield f"DO block: {getattr(operation, 'reason', '')}"
