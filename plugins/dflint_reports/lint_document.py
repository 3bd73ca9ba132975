"""The JSON document of ``dflint lint``, for other programs. Additive changes only within a schema version."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from dflint import __version__
from dflint.model.effect import Basis, Confidence
from dflint.model.finding import CatalogUse, Finding, Level, Report
from dflint.model.migration import Runner
from dflint.plugin import Output
from dflint_reports.visible import well_formed

#: Lines and columns count from 1, columns in code points.
Ordinal = Annotated[int, Meta(ge=1)]
Number = Annotated[int, Meta(ge=0)]


# Keys are sorted, but for schema_version, which comes first; the order of the fields is that of the document.


class PgVersion(Struct, frozen=True):
    """The PostgreSQL major that was judged for; ``assumed``: nobody named one."""

    assumed: bool
    used: int


class RunnerEntry(Struct, frozen=True):
    """The migration runner; ``assumed``: a default was taken; ``reason``: the mark that was found, or why."""

    assumed: bool
    name: str
    reason: str
    version: str | None


class FolderRunner(Struct, frozen=True):
    """The runner of one migration folder."""

    assumed: bool
    folder: str
    name: str
    reason: str
    version: str | None


class NotAnalysedEntry(Struct, frozen=True):
    """A piece of text that was not understood."""

    file: str
    line: Ordinal
    reason: str


class CoverageEntry(Struct, frozen=True):
    """How much was understood: ``statements`` = ``typed`` + ``opaque`` + ``rejected``."""

    not_analysed: list[NotAnalysedEntry]
    opaque: Number
    rejected: Number
    statements: Number
    typed: Number


class ErrorEntry(Struct, frozen=True):
    """What stopped dflint from reading something; the exit status is 2."""

    column: Ordinal | None
    file: str | None
    line: Ordinal | None
    message: str
    remedy: str | None


class FindingEntry(Struct, frozen=True):
    """One thing said about one operation. The end is exclusive."""

    basis: Basis
    column: Ordinal
    confidence: Confidence
    end_column: Ordinal
    end_line: Ordinal
    facts: tuple[str, ...]
    file: str
    fingerprint: str
    hazards: tuple[str, ...]
    level: Level
    line: Ordinal
    lock: str | None
    message: str
    operation: str
    recipes: tuple[str, ...]
    rule: str
    statement: Number
    target: str | None


class CatalogEntry(Struct, frozen=True):
    """The snapshot that judging started from."""

    file: str
    incomplete: list[str]
    pg_version: int | None


class LintDocument(Struct, frozen=True):
    """Of the runners, ``runner`` is that of the first folder judged, null when there was none."""

    schema_version: Literal[1]
    catalog: CatalogEntry | None
    coverage: CoverageEntry
    dflint: str
    errors: list[ErrorEntry]
    files: list[str]
    findings: list[FindingEntry]
    pg_version: PgVersion
    runner: RunnerEntry | None
    runners: list[FolderRunner]
    suppressed: Number


def render(report: Report, _output: Output) -> str:
    """The document on one line."""
    return msgspec.json.encode(document(report)).decode() + "\n"


def schema() -> bytes:
    """The document's JSON Schema (2020-12), as it is kept in ``docs/schemas``."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The JSON document of dflint lint, version 1",
        **msgspec.json.schema(LintDocument),
    }
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


def document(report: Report) -> LintDocument:
    """The report as the document's value."""
    coverage = report.coverage
    return LintDocument(
        schema_version=1,
        catalog=_catalog(report.catalog),
        coverage=CoverageEntry(
            not_analysed=[
                NotAnalysedEntry(well_formed(piece.file), piece.line, well_formed(piece.reason))
                for piece in coverage.not_analysed
            ],
            opaque=coverage.opaque,
            rejected=coverage.rejected,
            statements=coverage.statements,
            typed=coverage.typed,
        ),
        dflint=__version__,
        errors=[
            ErrorEntry(
                column=error.column,
                file=_maybe(error.file),
                line=error.line,
                message=well_formed(error.message),
                remedy=_maybe(error.remedy),
            )
            for error in report.errors
        ],
        files=[well_formed(file) for file in report.files],
        findings=[_finding(finding) for finding in sorted(report.findings, key=_place)],
        pg_version=PgVersion(assumed=report.pg_version_assumed, used=report.pg_version),
        runner=_runner(report.runners[0][1]) if report.runners else None,
        runners=[_folder(folder, runner) for folder, runner in report.runners],
        suppressed=report.suppressed,
    )


def _catalog(use: CatalogUse | None) -> CatalogEntry | None:
    if use is None:
        return None
    return CatalogEntry(well_formed(use.file), [well_formed(reason) for reason in use.incomplete], use.pg_version)


def _place(finding: Finding) -> tuple[str, int, int, str]:
    return finding.file, finding.line, finding.column, finding.rule


def _maybe(text: str | None) -> str | None:
    return None if text is None else well_formed(text)


def _runner(runner: Runner) -> RunnerEntry:
    return RunnerEntry(runner.assumed, runner.name, well_formed(runner.reason), runner.version)


def _folder(folder: str, runner: Runner) -> FolderRunner:
    return FolderRunner(runner.assumed, well_formed(folder), runner.name, well_formed(runner.reason), runner.version)


def _finding(finding: Finding) -> FindingEntry:
    return FindingEntry(
        basis=finding.basis,
        column=finding.column,
        confidence=finding.confidence,
        end_column=finding.end_column,
        end_line=finding.end_line,
        facts=finding.facts,
        file=well_formed(finding.file),
        fingerprint=finding.fingerprint,
        hazards=finding.hazards,
        level=finding.level,
        line=finding.line,
        lock=finding.lock,
        message=well_formed(finding.message),
        operation=finding.operation,
        recipes=finding.recipes,
        rule=finding.rule,
        statement=finding.statement,
        target=_maybe(finding.target),
    )
