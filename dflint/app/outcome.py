"""What judging is asked for and what it gives."""

from __future__ import annotations

from msgspec import Struct

from dflint.model.finding import Coverage, Finding, NotAnalysed, ReadError, RuleCard


class Settings(Struct, frozen=True):
    """What judging needs to know from the request and the configuration.

    Attributes:
        version: server major to judge for.
        baseline: everything up to this migration is applied history: replayed and never judged. None: there is none,
            and each file is a change of its own.
        catalog: what identifies the snapshot that judging starts from; "" without one.
    """

    version: int
    assume_in_transaction: bool = False
    baseline: str | None = None
    catalog: str = ""
    require_suppression_reason: bool = False


class Outcome(Struct):
    """What judging some histories gave.

    Attributes:
        files: printed paths of the files judged.
        replayed: number of files that were only replayed.
        rules: cards of the rules that spoke, by id.
    """

    findings: list[Finding] = []
    errors: list[ReadError] = []
    not_analysed: list[NotAnalysed] = []
    files: list[str] = []
    rules: dict[str, RuleCard] = {}
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
        self.rules |= other.rules
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
