"""Rules and what they raise."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dflint.model.effect import Basis, Confidence
from dflint.model.finding import Level


class Example(Struct, frozen=True, omit_defaults=True):
    """A migration that shows a rule, and is its test.

    Attributes:
        before: an earlier migration, replayed and not judged.
        runner: the runner's name.
        in_transaction: something wraps the file in a transaction.
        pg_version: server major; None for the default.
        file: file name, where a runner needs one.
        lines: of a bad example: exactly these 1-based lines of ``sql``; None: at least one finding.
        certain: of a bad example: False when the finding must have low confidence, True when it must not.
        note: why, in a few words.
    """

    sql: str
    before: str = ""
    runner: str = "psql"
    in_transaction: bool = False
    pg_version: int | None = None
    file: str | None = None
    lines: tuple[int, ...] | None = None
    certain: bool | None = None
    note: str = ""


class Rule(Struct, frozen=True, omit_defaults=True):
    """One rule, verified. See ``docs/rule-format.md`` for the fields.

    Attributes:
        operations: kinds of operation; patterns and groups are expanded.
        when: verified conditions, None for always.
        check: reference ``package.module:attribute`` of its Python detector, "" for none.
        confidence: the most that its findings may have: the weakest of its facts and of its own limit.
        file, line: where it is written.
        code: ``when``, compiled, if it was kept.
    """

    id: str
    title: str
    level: Level
    operations: tuple[str, ...]
    message: str
    hazards: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    when: dict[str, Any] | None = None
    quiet_unless_known: tuple[str, ...] = ()
    check: str = ""
    why: str = ""
    fix: str = ""
    facts: tuple[str, ...] = ()
    confidence: Confidence = "high"
    recipes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    default: bool = True
    tags: tuple[str, ...] = ()
    good: tuple[Example, ...] = ()
    bad: tuple[Example, ...] = ()
    file: str = ""
    line: int = 1
    code: bytes = b""

    def covers(self, version: int) -> bool:
        """Whether it is for that server major."""
        return (self.since is None or version >= self.since) and (self.until is None or version <= self.until)


class Raised(Struct, frozen=True):
    """What a rule says about one operation; the caller adds the place.

    Attributes:
        message: complete, for users; says which fact would decide where ``confidence`` is low for want of one.
        at: byte offset to point at, as in `Operation.at`; -1 for the operation's own.
        lock: the lock on the operation's target, in SQL spelling, None for none.
        facts: ids of the facts it rests on.
        because: the facts that would decide, in words for users; "" when it is certain.
        fix: the rule's advice, its placeholders filled in.
    """

    rule: Rule
    level: Level
    confidence: Confidence
    basis: Basis
    message: str
    at: int = -1
    lock: str | None = None
    facts: tuple[str, ...] = ()
    because: str = ""
    fix: str = ""
