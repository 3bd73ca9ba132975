"""Migrations as files: sections, statements, and how a runner sends them to the server."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dflint.model.operations.base import Operation

#: How text reaches PostgreSQL. This decides the implicit transaction:
#: ``statement``: the runner splits and sends one statement at a time;
#: ``string``: the whole section is one simple query: several statements share an implicit transaction;
#: ``psql``: psql splits and knows backslash commands;
#: ``pipeline``: one extended-protocol batch, implicitly one transaction.
Wire = Literal["statement", "string", "psql", "pipeline"]

#: What the runner itself opens round a section:
#: ``none``: nothing; ``section``: BEGIN … COMMIT round each; ``batch``: one transaction round all pending migrations.
Wrapping = Literal["none", "section", "batch"]


class Span(Struct, frozen=True):
    """A half-open range of byte offsets in a file's text (after removal of a byte order mark)."""

    start: int
    end: int


class Notice(Struct, frozen=True):
    """Something a runner's source plugin noticed about the file: a marker that has no effect, an odd section.

    ``rule`` is the rule the finding belongs to: ``marker-without-effect``, ``runner-refuses-file`` (the runner stops at
    this file with an error), or ``never-runs`` (the text, or a part of it, is not run on a database that is in use).
    """

    rule: str
    message: str
    span: Span


class Section(Struct, frozen=True):
    """A part of a migration file that runs, or does not run, together.

    Attributes:
        direction: only ``up`` is judged as going to run.
        span: the section's text, markers excluded where they matter.
        wrapping, wire: see above.
        reason: in words for users: why the wrapping is what it is, such as ``goose NO TRANSACTION``.
        own_transactions: the runner lets the text's BEGIN and COMMIT through. False where it strips or refuses them.
        marker: the opt-out marker in effect, such as dbmate's ``transaction:false``; None where there is none.
        alone: lower-case regular expressions of statements that the runner sends on their own outside the wrapping.
            They match at the statement's first word, its white space collapsed to single blanks.
        unwraps: regular expressions like those of ``alone``: when a statement of the section matches, the runner
            drops the wrapping of the whole section (Flyway).
        mixed_refused: a section with statements that match ``unwraps`` and others that do not is refused by the
            runner.
        chunks: where the runner cuts the text itself and not at the ends of statements, the pieces it sends, each
            as one simple query: several statements in one of them share an implicit transaction when nothing else
            wraps them. Empty: ``wire`` says it all.
        transaction_block: the implicit transaction of ``wire`` counts as a transaction block. False where LOCK TABLE,
            SET LOCAL and SAVEPOINT fail in it with 25P01 because no BEGIN was sent.
        begins_change: a new migration begins here, although the file is the same (a trace).
    """

    direction: Literal["up", "down"]
    span: Span
    wrapping: Wrapping = "none"
    wire: Wire = "psql"
    reason: str = ""
    own_transactions: bool = True
    alone: tuple[str, ...] = ()
    marker: Span | None = None
    unwraps: tuple[str, ...] = ()
    mixed_refused: bool = False
    chunks: tuple[Span, ...] = ()
    transaction_block: bool = True
    begins_change: bool = False


class Runner(Struct, frozen=True):
    """Which tool runs the migrations.

    Attributes:
        name: such as ``goose``.
        version: as far as known.
        assumed: nothing in the folder named the runner or version; a default was taken.
        reason: the mark that was found, or why the default was taken, in words for users.
    """

    name: str
    version: str | None = None
    assumed: bool = False
    reason: str = ""


class Statement(Struct, frozen=True):
    """One statement of a file, as operations.

    Attributes:
        index: position in its section, from 0.
        start, end: byte offsets in the file; ``start`` may lie before leading comments and white space.
        operations: in order of execution; one `Opaque` where nothing could be made of it.
        base: byte offset in the file that the operations' ``at`` counts from.
    """

    index: int
    start: int
    end: int
    operations: tuple[Operation, ...]
    base: int = 0
