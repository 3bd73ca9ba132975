"""The use case of ``dflint lint``: from a request to a report."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from dflint.app.discovery import History, discover, discover_text
from dflint.app.loading import LoadedFile, applied_files, load_file, wanted_files
from dflint.app.outcome import Outcome, Settings
from dflint.app.outcome_cache import OutcomeCache, program_signature
from dflint.app.request import NEWEST_VERSION, LintRequest
from dflint.model import user_cache
from dflint.model.errors import ConfigError, DflintError, InputError
from dflint.model.finding import NotAnalysed, ReadError, Report
from dflint.model.garbage import no_garbage_collection
from dflint.plugin.manager import BUILT_IN, Plugins, load
from dflint.plugin.sources import Source
from dflint.rulebook import cache
from dflint.sql.library_file import find_library

if TYPE_CHECKING:
    from dflint.app.judging import Judge, ParsedFile
    from dflint.app.starting_point import StartingPoint
    from dflint.rulebook.compile import Rulebook

    Parse = Callable[[Judge, Sequence[LoadedFile]], Iterable[ParsedFile]]


def lint(request: LintRequest, plugins: Plugins, on_file: Callable[[str], None] | None = None) -> Report:
    """Lint what the request names.

    Args:
        request: complete; relative paths are relative to the working directory.
        plugins: as `Plugins` registered them.
        on_file: told of each file before it is judged or replayed, if somebody wants to know how far it is.

    Raises:
        DflintError: a path does not exist, a rule file or the configuration is malformed. What only concerns one file
            is in the report's errors instead.
    """
    problems: list[DflintError] = []
    histories = _histories(request, plugins, problems.append)
    start = _starting_point(request)
    settings = Settings(
        version=request.pg_version or (start and start.header.pg_version) or NEWEST_VERSION,
        assume_in_transaction=request.assume_in_transaction,
        baseline=request.baseline,
        require_suppression_reason=request.require_suppression_reason,
        catalog=start.signature if start else "",
    )
    _check_baseline(histories, settings.baseline)
    left_out = list(_left_out(histories))
    applied = 0
    if start is not None:
        from dflint.app.starting_point import pending

        histories, applied = pending(histories, settings.baseline)
    run = Run(request, plugins, settings, start, on_file)
    with no_garbage_collection():
        outcome = run.all(histories)
    outcome.not_analysed += left_out
    outcome.replayed += applied
    outcome.errors += [ReadError(p.file, p.line, p.column, p.message, p.remedy) for p in problems]
    if start is not None:
        outcome.errors += start.gaps()
    return _report(request, settings, histories, outcome, start)


def _left_out(histories: Sequence[History]) -> Iterator[NotAnalysed]:
    """SQL files of judged directories that the runner does not run: said, so that nobody takes them for fine."""
    for history in histories:
        if len(history.selected) == len(history.files):
            for name in history.ignored:
                yield NotAnalysed(history.path(name), 1, f"{history.runner.name} does not run this file")


class Run:
    """One run: what was judged before is taken from the cache, and only the rest needs a judge."""

    def __init__(
        self,
        request: LintRequest,
        plugins: Plugins,
        settings: Settings,
        start: StartingPoint | None = None,
        on_file: Callable[[str], None] | None = None,
    ) -> None:
        self._request = request
        self._on_file = on_file
        self._start = start
        self._plugins = plugins
        self._settings = settings
        self._cache = OutcomeCache(*_cache_place(request, plugins, settings))
        self._judge: Judge | None = None

    def all(self, histories: Sequence[History]) -> Outcome:
        """Judge all histories."""
        if self._request.processes > 1 and hasattr(os, "fork"):
            from dflint.app.parallel import judge_in_processes

            outcome = judge_in_processes(self, histories, self._request.processes)
        else:
            outcome = Outcome()
            for history in histories:
                outcome.add(self.one(history))
        if not histories:
            # Malformed rules are an error also when there is nothing to judge.
            self.judge()
        self._cache.tidy()
        return outcome

    def one(self, history: History, parse: Parse | None = None) -> Outcome:
        """Judge one history, its files parsed by ``parse`` where that is given."""
        files = [load_file(history, path) for path in wanted_files(history)]
        key = self._cache.key(history, files)
        outcome = self._cache.get(key)
        if outcome is None:
            judge = self.judge()
            parsed = parse(judge, files) if parse else map(judge.parse, files)
            outcome = judge.judge(history, parsed if self._on_file is None else self._announced(history, parsed))
            self._cache.put(key, outcome)
        return outcome

    def _announced(self, history: History, files: Iterable[ParsedFile]) -> Iterator[ParsedFile]:
        for file in files:
            if self._on_file is not None:
                self._on_file(history.path(file.loaded.path))
            yield file

    def judge(self) -> Judge:
        """The judge, made when it is first needed."""
        if self._judge is None:
            from dflint.app.judging import Judge
            from dflint.model.catalog import Catalog
            from dflint.sql.libpg_query import load_library
            from dflint.sql.parse import Parser

            rulebook = load_rulebook(self._request, self._plugins)
            parser = Parser(load_library())
            catalog = Catalog(basis="replay") if self._start is None else self._start.catalog
            self._judge = Judge(self._settings, rulebook, rulebook.facts, parser, catalog)
        return self._judge


def _cache_place(request: LintRequest, plugins: Plugins, settings: Settings) -> tuple[str | None, bytes]:
    """Where outcomes are kept, and what all of them depend on."""
    where = user_cache.directory()
    if where is None or not request.cache or request.plugins or request.checks:
        # What a project's own code depends on cannot be known.
        return None, b""
    from dflint.rulebook.files import built_in_rules, rule_files

    rules = rule_files((built_in_rules(), *plugins.rule_paths(), *request.rule_paths))
    parser = find_library()
    status = os.stat(parser) if os.path.exists(parser) else None
    base = (
        program_signature(BUILT_IN),
        # Another grammar may read the same text in another way.
        (parser, status and (status.st_size, status.st_mtime_ns)),
        cache.signature(rules, plugins.checks()),
        settings,
        request.select,
        request.ignore,
        sorted(request.severity.items()),
    )
    return os.path.join(where, "outcomes"), msgspec.msgpack.encode(base)


def load_rulebook(request: LintRequest, plugins: Plugins) -> Rulebook:
    """The rules that the request asks for.

    Raises:
        DflintError: a rule file is malformed, or a selector names nothing.
    """
    from dflint.rulebook.compile import Rulebook

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


def _histories(request: LintRequest, plugins: Plugins, on_error: Callable[[DflintError], None]) -> list[History]:
    sources: list[Source] = [load(reference) for reference in plugins.sources().values()]
    override = None if request.runner is None else (request.runner, request.runner_version)
    if request.stdin is not None:
        return [discover_text(request.stdin, request.stdin_filename, sources, override)]
    histories = discover(request.paths or (".",), sources, override, on_error)
    if not request.exclude:
        return histories
    given = {os.path.abspath(path) for path in request.paths}
    return [_without_excluded(history, request, given) for history in histories]


def _without_excluded(history: History, request: LintRequest, given: set[str]) -> History:
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


def _starting_point(request: LintRequest) -> StartingPoint | None:
    if request.catalog is None:
        return None
    from dflint.app.starting_point import StartingPoint

    return StartingPoint(request.catalog)


def _report(
    request: LintRequest,
    settings: Settings,
    histories: Sequence[History],
    outcome: Outcome,
    start: StartingPoint | None,
) -> Report:
    findings = sorted(outcome.findings, key=lambda f: (f.file, f.line, f.column, f.rule, f.end_line, f.end_column))
    return Report(
        pg_version=settings.version,
        pg_version_assumed=request.pg_version is None and not (start and start.header.pg_version),
        catalog=start.use if start else None,
        runners=tuple(sorted(((h.directory.path, h.runner) for h in histories if h.selected), key=lambda r: r[0])),
        files=tuple(sorted(outcome.files)),
        findings=tuple(findings),
        errors=tuple(sorted(outcome.errors, key=lambda e: (e.file or "", e.line or 0, e.column or 0, e.message))),
        coverage=outcome.coverage(),
        replayed=outcome.replayed,
        suppressed=outcome.suppressed,
        rules=tuple(outcome.rules[rule] for rule in sorted(outcome.rules)),
    )


def parse_runner(text: str) -> tuple[str, str | None]:
    """Split ``name@version``.

    Raises:
        InputError: the name is missing.
    """
    name, _, version = text.partition("@")
    if not name:
        raise InputError(f"{text!r} names no runner", remedy="write NAME or NAME@VERSION")
    return name, version or None
