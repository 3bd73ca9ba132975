"""Runs an example of a rule through parser, fold and rulebook, as ``dflint lint`` would."""

from __future__ import annotations

from typing import NamedTuple

from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.migration import Runner
from dflint.plugin import MigrationFile, Source
from dflint.plugin.manager import Plugins, load
from dflint.rulebook.compile import Rulebook
from dflint.rulebook.rule import Example, Raised
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.sql.source_text import SourceText
from dflint.sql.spans import operation_span
from tests.plugins.sources.memory import tree

NEWEST_VERSION = 18


class Found(NamedTuple):
    """What a rule said, and in which line of the example."""

    line: int
    raised: Raised


class Judge:
    """Every rule that comes with dflint, ready to judge examples."""

    def __init__(self) -> None:
        plugins = Plugins()
        self._sources = plugins.sources()
        self._parser = Parser(load_library())
        self.rulebook = Rulebook.load(plugins.rule_paths(), plugins.checks(), select=["all"], cached=None)

    def findings(self, rule: str, example: Example) -> list[Found]:
        """What one rule says about an example."""
        source: Source = load(self._sources[example.runner])
        runner = Runner(example.runner, reason="the example says so")
        fold = Fold(
            runner=runner,
            version=example.pg_version or NEWEST_VERSION,
            knowledge=self.rulebook.facts,
            catalog=Catalog(basis="replay"),
        )
        name = example.file or "2.sql"
        files = {"1.sql": example.before} if example.before else {}
        files[name] = example.sql
        directory = tree(files)
        found: list[Found] = []
        for path, content in files.items():
            text = SourceText(path, content.encode())
            cut = source.sections(MigrationFile(path, text.text, directory, runner))
            statements = self._parser.parse(text.text, cut.sections)
            fold.begin_change()
            for context in fold.file(text.text, cut.sections, statements, assume_in_transaction=example.in_transaction):
                if path == name:
                    found += [
                        Found(self._line(text, context, raised), raised)
                        for raised in self.rulebook.judge(context)
                        if raised.rule.id == rule
                    ]
            if path == name:
                found += [
                    Found(text.text.count(b"\n", 0, notice.span.start) + 1, raised)
                    for notice in cut.notices
                    if notice.rule == rule and (raised := self.rulebook.remark(rule, notice.message)) is not None
                ]
        last = len(example.sql.rstrip().splitlines())
        found += [Found(last, raised) for raised in self.rulebook.judge(fold.end_of_run()) if raised.rule.id == rule]
        return found

    def _line(self, text: SourceText, context: Context, raised: Raised) -> int:
        statement = context.statement
        if statement.start == statement.end and raised.at >= 0:
            return text.position(raised.at)[0]
        if statement.start == statement.end:
            return text.position(len(text.text[: statement.end].rstrip()))[0]
        start, _ = operation_span(self._parser.library, text.text, statement, context.operation, raised.at)
        return text.position(start)[0]
