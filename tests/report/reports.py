"""Reports made by hand, and a way to render them."""

from __future__ import annotations

from dflint.model.finding import Coverage, Finding, Level, NotAnalysed, ReadError, Report, RuleCard
from dflint.model.migration import Runner
from dflint.plugin import Output
from dflint.plugin.manager import Plugins, load

FILE = "db/migrations/0001 größe,50%.sql"
TEXT = '-- Straße\nCREATE INDEX a_idx ON a (b);\n\tDROP TABLE "ä";\nALTER TABLE t\n  ADD COLUMN x int,\n  ADD y int;\n'


def finding(level: Level = "error", line: int = 2, **more: object) -> Finding:
    values: dict[str, object] = {
        "rule": "create-index-blocking",
        "level": level,
        "message": "CREATE INDEX blocks writes: 100 % of them",
        "file": FILE,
        "line": line,
        "column": 1,
        "end_line": line,
        "end_column": 28,
    }
    return Finding(**(values | more))  # type: ignore[arg-type]


CARD = RuleCard(
    id="create-index-blocking",
    title="CREATE INDEX blocks writes",
    why="The build reads the whole table.",
    level="error",
    hazards=("H001",),
    tags=("locks",),
)

FULL = Report(
    pg_version=18,
    pg_version_assumed=True,
    runners=(("db/migrations", Runner("goose", "3.2", assumed=False, reason="+goose Up in 0001.sql")),),
    files=(FILE, "db/migrations/0002.sql"),
    findings=(
        finding(
            confidence="medium",
            hazards=("H001",),
            statement=1,
            operation="create_index",
            target="table:public.a",
            lock="SHARE",
            facts=("create-index",),
            recipes=("create-index-concurrently",),
            fingerprint="00112233aabbccdd",
            fix="CREATE INDEX CONCURRENTLY a_idx ON a (…);\nOutside a transaction.",
        ),
        finding("warning", 3, rule="drop-table", message="data is lost", column=2, end_column=16, fingerprint="1" * 16),
        finding(
            "info", 5, rule="short-lock", message="short", column=3, end_line=6, end_column=12, fingerprint="2" * 16
        ),
    ),
    errors=(ReadError("db/migrations/0003.sql", 7, 2, "a NUL byte", "remove the byte"),),
    coverage=Coverage(1000, 998, 1, 1, (NotAnalysed("db/migrations/0002.sql", 9, "dynamic SQL"),)),
    replayed=3,
    suppressed=2,
    rules=(CARD,),
)

EMPTY = Report(pg_version=16, pg_version_assumed=False, runners=(), files=())


def render(name: str, report: Report, *, color: bool = False, width: int = 120, quiet: bool = False) -> str:
    """As ``dflint lint --format NAME`` would; every file has the same text."""
    reporter = load(Plugins().reporters()[name])
    text = reporter(report, Output(source=lambda _path: TEXT, color=color, width=width, quiet=quiet))
    assert isinstance(text, str)
    return text
