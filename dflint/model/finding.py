"""Findings: what dflint says about an operation, and the report that holds them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dflint.model.effect import Basis, Confidence
from dflint.model.migration import Runner

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info")


class Finding(Struct, frozen=True):
    """One thing said about one operation.

    Lines and columns are 1-based, columns count code points, the end is exclusive. ``fix`` is the rule's advice with
    its placeholders filled in, "" where there is none.
    """

    rule: str
    level: Level
    message: str
    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    confidence: Confidence = "high"
    basis: Basis = "static"
    hazards: tuple[str, ...] = ()
    statement: int = 0
    operation: str = ""
    target: str | None = None
    lock: str | None = None
    facts: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    fingerprint: str = ""
    fix: str = ""


class RuleCard(Struct, frozen=True):
    """What a reader of a report wants to know about a rule that spoke.

    Attributes:
        title: one line, no full stop.
        why: the mechanism, for people.
        level: the rule's own; a finding's may be lower.
    """

    id: str
    title: str
    why: str = ""
    level: Level = "warning"
    hazards: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class ReadError(Struct, frozen=True):
    """What stopped dflint from reading something; exit status 2."""

    file: str | None
    line: int | None
    column: int | None
    message: str
    remedy: str | None


class NotAnalysed(Struct, frozen=True):
    """A piece of text that dflint did not understand."""

    file: str
    line: int
    reason: str


class Coverage(Struct, frozen=True):
    """How much of the input was understood; ``statements`` = ``typed`` + ``opaque`` + ``rejected``."""

    statements: int = 0
    typed: int = 0
    opaque: int = 0
    rejected: int = 0
    not_analysed: tuple[NotAnalysed, ...] = ()


class CatalogUse(Struct, frozen=True):
    """A snapshot that judging started from.

    Attributes:
        file: its path.
        pg_version: major version of the server it was taken from, None when not known.
        incomplete: why answers from it may be wrong.
    """

    file: str
    pg_version: int | None
    incomplete: tuple[str, ...] = ()


class Report(Struct, frozen=True):
    """The result of one lint run, complete: renderers need nothing else but the source text.

    Attributes:
        runners: the runner of each migration folder judged, by folder path.
        files: paths of the files judged, sorted.
        replayed: number of files that were only replayed as history.
        findings: sorted by file, line, column and rule.
        suppressed: number of findings silenced by inline directives.
        rules: one card for each rule that a finding names, sorted by id.
        catalog: the snapshot that judging started from, None where there was none.
    """

    pg_version: int
    pg_version_assumed: bool
    runners: tuple[tuple[str, Runner], ...]
    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    errors: tuple[ReadError, ...] = ()
    coverage: Coverage = Coverage()
    replayed: int = 0
    suppressed: int = 0
    rules: tuple[RuleCard, ...] = ()
    catalog: CatalogUse | None = None
