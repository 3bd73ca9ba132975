"""Who still uses an object from outside the database: statements that the server has seen, and files of SQL."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from dflint.model.impact import Impact, ImpactDocument, to_document

#: How sure it is that the text means the object: a name without schema may mean another one at run time.
UseCertainty = Literal["certain", "likely", "possible"]


class SeenStatement(Struct, frozen=True):
    """A statement that a server or somebody's file knows; its fields are those of `QueryUse`."""

    text: str
    origin: str
    calls: int | None = None
    counted_since: str | None = None
    last_seen: str | None = None


class SeenStatements(Struct, frozen=True):
    """Statements that were found.

    Attributes:
        incomplete_because: why there may be more; empty is good.
    """

    statements: tuple[SeenStatement, ...] = ()
    incomplete_because: tuple[str, ...] = ()


class QueryUse(Struct, frozen=True):
    """A statement that uses the target of a change, or something that the change breaks.

    Attributes:
        statement: its text, as the server or the file has it.
        uses: printed identities of what it uses: the target, its columns, or dependents that go or break.
        line, column: of the first use in the text, from 1, columns in code points.
        origin: ``pg_stat_statements``, or the file and line where the statement begins.
        calls: how often it ran; None where nobody counted.
        counted_since: from when on its calls were counted (ISO 8601); None where that is not known.
        last_seen: when a session was last seen with it (ISO 8601); None where that is not known.
        writes: it writes to it.
    """

    statement: str
    uses: tuple[str, ...]
    line: int
    column: int
    origin: str
    certainty: UseCertainty = "certain"
    calls: int | None = None
    counted_since: str | None = None
    last_seen: str | None = None
    writes: bool = False


class QueryUses(Struct, frozen=True):
    """The statements that use what a change touches.

    Attributes:
        statements: most called first, then by origin.
        looked_at: how many statements were read.
        incomplete_because: why uses may be missing; empty is good, and says nothing about statements never recorded.
    """

    statements: tuple[QueryUse, ...]
    looked_at: int
    incomplete_because: tuple[str, ...] = ()


class CodeUse(Struct, frozen=True):
    """A place of a program that uses the target of a change, or something that the change breaks.

    Attributes:
        file: its path, below the directory that was searched as the user gave it.
        line, column: from 1, columns in code points.
        identity: the printed identity of what it uses.
        certainty: ``certain``: a statement that names it, or a class mapped to it; ``likely``: parts of the statement
            are computed, or it is used through a mapped class; ``possible``: a piece of SQL, or a string that is its
            name.
        text: the statement, string or expression, shortened.
        writes: the statement writes to it.
    """

    file: str
    line: int
    column: int
    identity: str
    certainty: UseCertainty
    text: str
    writes: bool = False


class UnreadFile(Struct, frozen=True):
    """A file, or a statement of one, that could not be read, and may use anything."""

    file: str
    reason: str


class CodeUses(Struct, frozen=True):
    """The places of a program that use what a change touches.

    Attributes:
        uses: by file and place.
        looked_at: how many files were read.
        unread: what could not be read; empty is good.
    """

    uses: tuple[CodeUse, ...]
    looked_at: int
    unread: tuple[UnreadFile, ...] = ()


class ImpactReport(Struct, frozen=True):
    """What there is to say about one change.

    Attributes:
        queries, code: None: nobody asked for them.
    """

    impact: Impact
    queries: QueryUses | None = None
    code: CodeUses | None = None


class ImpactReportDocument(ImpactDocument, frozen=True, omit_defaults=True):
    """The JSON document of ``dflint impact``; ``queries`` and ``code`` are there where somebody asked for them."""

    queries: QueryUses | None = None
    code: CodeUses | None = None


def report_document(report: ImpactReport) -> ImpactReportDocument:
    """The document of a report."""
    return ImpactReportDocument(**asdict(to_document(report.impact)), queries=report.queries, code=report.code)
