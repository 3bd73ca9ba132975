"""The use case of ``dflint lint``: from a request to a report."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

from dflint.app.discovery import History, discover, discover_text
from dflint.app.judging import Judge, Outcome, Settings, applied_files
from dflint.app.parallel import judge_in_processes
from dflint.app.request import NEWEST_VERSION, LintRequest
from dflint.model.catalog import Catalog
from dflint.model.errors import ConfigError, DflintError, InputError
from dflint.model.finding import ReadError, Report, RuleCard
from dflint.plugin.manager import Plugins, load
from dflint.plugin.sources import Source
from dflint.rulebook.compile import Rulebook
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser


def lint(request: LintRequest, plugins: Plugins) -> Report:
    """Lint what the request names.

    Args:
        request: complete; relative paths are relative to the working directory.
        plugins: as `Plugins` registered them.

    Raises:
        DflintError: a path does not exist, a rule file or the configuration is malformed. What only concerns one file
            is in the report's errors instead.
    """
    rulebook = load_rulebook(request, plugins)
    problems: list[DflintError] = []
    histories = _histories(request, plugins, problems.append)
    settings = Settings(
        version=request.pg_version or NEWEST_VERSION,
        assume_in_transaction=request.assume_in_transaction,
        baseline=request.baseline,
        require_suppression_reason=request.require_suppression_reason,
    )
    _check_baseline(histories, settings.baseline)
    judge = Judge(settings, rulebook, rulebook.facts, Parser(load_library()), Catalog(basis="replay"))
    with _no_garbage_collection():
        outcome = _judge_all(judge, histories, request.processes)
    outcome.errors += [ReadError(p.file, p.line, p.column, p.message, p.remedy) for p in problems]
    return _report(request, rulebook, settings, histories, outcome)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Values have no cycles, and looking for some in every parse tree would cost more than parsing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def load_rulebook(request: LintRequest, plugins: Plugins) -> Rulebook:
    """The rules that the request asks for.

    Raises:
        DflintError: a rule file is malformed, or a selector names nothing.
    """
    checks = {**plugins.checks(), **request.checks}
    if request.checks and request.project not in sys.path:
        # The project's own checks are modules of the project.
        sys.path.insert(0, request.project)
    return Rulebook.load(
        (*plugins.rule_paths(), *request.rule_paths),
        checks,
        select=request.select,
        ignore=request.ignore,
        levels=request.severity,
    )


def _histories(
    request: LintRequest, plugins: Plugins, on_error: Callable[[DflintError], None]
) -> list[History]:
    sources: list[Source] = [load(reference) for reference in plugins.sources().values()]
    override = None if request.runner is None else (request.runner, request.runner_version)
    if request.stdin is not None:
        return [discover_text(request.stdin, request.stdin_filename, sources, override)]
    histories = discover(request.paths or (".",), sources, override, on_error)
    if not request.exclude:
        return histories
    given = {os.path.abspath(path) for path in request.paths}
    return [_without(history, request, given) for history in histories]


def _without(history: History, request: LintRequest, given: set[str]) -> History:
    """The history with excluded files unselected; a file that the user named itself stays."""

    def kept(file: str) -> bool:
        absolute = os.path.join(history.directory.real, file)
        if absolute in given:
            return True
        relative = os.path.relpath(absolute, request.project or os.getcwd()).replace(os.sep, "/")
        return not any(
            fnmatchcase(relative, pattern) or fnmatchcase(relative, f"{pattern.rstrip('/')}/*")
            for pattern in request.exclude
        )

    return history._replace(selected=frozenset(file for file in history.selected if kept(file)))


def _check_baseline(histories: Sequence[History], baseline: str | None) -> None:
    if baseline is None or not histories:
        return
    if not any(applied_files(history.files, baseline) for history in histories):
        raise ConfigError(
            f"the baseline names the migration {baseline!r}, and no history has it",
            remedy="write the file name, its stem or its leading number of the last applied migration",
        )


def _judge_all(judge: Judge, histories: Sequence[History], processes: int) -> Outcome:
    outcome = Outcome()
    if processes > 1 and hasattr(os, "fork"):
        return judge_in_processes(judge, histories, processes)
    for history in histories:
        outcome.add(judge.judge(history, lambda path, history=history: judge.parse(history, path)))
    return outcome


def _report(
    request: LintRequest, rulebook: Rulebook, settings: Settings, histories: Sequence[History], outcome: Outcome
) -> Report:
    findings = sorted(outcome.findings, key=lambda f: (f.file, f.line, f.column, f.rule, f.end_line, f.end_column))
    spoke = sorted({finding.rule for finding in findings})
    return Report(
        pg_version=settings.version,
        pg_version_assumed=request.pg_version is None,
        runners=tuple(sorted(((h.directory.path, h.runner) for h in histories if h.selected), key=lambda r: r[0])),
        files=tuple(sorted(outcome.files)),
        findings=tuple(findings),
        errors=tuple(sorted(outcome.errors, key=lambda e: (e.file or "", e.line or 0, e.column or 0, e.message))),
        coverage=outcome.coverage(),
        replayed=outcome.replayed,
        suppressed=outcome.suppressed,
        rules=tuple(_card(rulebook, rule) for rule in spoke),
    )


def _card(rulebook: Rulebook, rule_id: str) -> RuleCard:
    rule = rulebook.rules[rule_id]
    return RuleCard(rule.id, rule.title, rule.why, rule.level, rule.hazards, rule.tags)


def parse_runner(text: str) -> tuple[str, str | None]:
    """Split ``name@version``.

    Raises:
        InputError: the name is missing.
    """
    name, _, version = text.partition("@")
    if not name:
        raise InputError(f"{text!r} names no runner", remedy="write NAME or NAME@VERSION")
    return name, version or None
