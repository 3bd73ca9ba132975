"""The sentences that end a report for people: what was found, and how much of the input was understood."""

from __future__ import annotations

from dflint.model.finding import LEVELS, Coverage, Report
from dflint.model.migration import Runner
from dflint_reports.visible import visible


def count(number: int, noun: str) -> str:
    """``1 file``, ``3 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def summary(report: Report) -> str:
    """What was found, in one line."""
    total = len(report.findings)
    if total:
        levels = [finding.level for finding in report.findings]
        parts = [count(levels.count(level), level) for level in LEVELS if level != "info" and level in levels]
        if "info" in levels:
            parts.append(f"{levels.count('info'):,} info")
        files = len({finding.file for finding in report.findings})
        text = f"{count(total, 'finding')} in {count(files, 'file')}: {', '.join(parts)}"
    else:
        text = "no findings"
    if report.suppressed:
        text += f"; {report.suppressed:,} suppressed"
    if report.errors:
        text += f"; {count(len(report.errors), 'error')} stopped dflint from reading everything"
    return text


def coverage_line(report: Report) -> str:
    """How much was understood, run by what and judged for which server, in one line."""
    files = count(len(report.files), "file")
    if report.replayed:
        how = "replayed" if report.catalog is None else "not judged"
        files += f" ({count(report.replayed, 'earlier file')} {how})"
    version = f"PostgreSQL {report.pg_version}{' (assumed)' if report.pg_version_assumed else ''}"
    if report.catalog is not None:
        version += f" with {report.catalog.file}"
    return "; ".join((_understood(report.coverage, files), _runners(report), version))


def _understood(coverage: Coverage, files: str) -> str:
    total = coverage.statements
    if not total:
        return f"no statements in {files}"
    # Never rounded up: 100 % means all of them.
    share = f"{coverage.typed * 1000 // total / 10:.1f}".removesuffix(".0")
    some = "" if coverage.typed == total else f"{coverage.typed:,} of "
    return (
        f"{some}{count(total, 'statement')} in {files} understood ({share} %), "
        f"{coverage.opaque:,} opaque, {coverage.rejected:,} rejected"
    )


def _runners(report: Report) -> str:
    runners = [runner for _, runner in report.runners]
    if not runners:
        return "no runner"
    if len(runners) == 1:
        reason = f": {visible(runners[0].reason)}" if runners[0].reason else ""
        return f"runner {_runner(runners[0])}{reason}"
    names: dict[str, int] = {}
    for runner in runners:
        name = _runner(runner)
        names[name] = names.get(name, 0) + 1
    listed = [name if number == 1 else f"{name} in {number:,} folders" for name, number in names.items()]
    return f"runner{'' if len(listed) == 1 else 's'} {', '.join(listed)}"


def _runner(runner: Runner) -> str:
    name = runner.name if runner.version is None else f"{runner.name} {runner.version}"
    return visible(f"{name} (assumed)" if runner.assumed else name)
