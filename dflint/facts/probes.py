"""Probes: statements that prove the facts on servers, as ``rules/facts/probes/*.yaml`` has them."""

from __future__ import annotations

from msgspec import Struct

from dflint.model.session import Session, Setting

#: The version of the format that this dflint reads.
SCHEMA = 1

#: The server majors that facts are proven on.
OLDEST, NEWEST = 13, 18


class Probe(Struct, frozen=True, omit_defaults=True):
    """One statement to be run on servers, whose effect is compared with the prediction.

    Attributes:
        id: unique among all probes, kebab-case.
        sql: exactly one statement.
        proves: ids of the facts that the prediction rests on; None: not filled in yet.
        since, until: the majors on which it is run.
        setup: run and committed before, in a session of its own.
        settings: of the session that runs ``sql``.
        before: run in the same transaction before ``sql``.
        teardown: one statement, run afterwards: removes what would outlive the database of the probe.
        error: SQLSTATE with which the server refuses it; by major where that differs, "" where it succeeds.
        note: why this form is here.
        place: file and line.
    """

    id: str
    sql: str
    proves: tuple[str, ...] | None = None
    since: int = OLDEST
    until: int = NEWEST
    setup: str = ""
    settings: dict[str, str] = {}
    before: str = ""
    teardown: str = ""
    error: str | dict[int, str] = ""
    note: str = ""
    place: str = ""

    def covers(self, major: int) -> bool:
        """Whether it is run on that major."""
        return self.since <= major <= self.until

    def refusal(self, major: int) -> str:
        """The SQLSTATE expected on that major, "" for success."""
        return self.error if isinstance(self.error, str) else self.error.get(major, "")

    @property
    def script(self) -> str:
        """What is run in the session under observation: the statement, after those before it in one transaction."""
        before = self.before.rstrip().rstrip(";")
        return f"begin;\n{before};\n{self.sql}" if before else self.sql

    @property
    def session(self) -> Session:
        """The settings in force."""
        return Session(tuple((name.lower(), Setting(value)) for name, value in self.settings.items()))

    @property
    def text(self) -> str:
        """All its SQL, to look for names in."""
        return f"{self.setup}\n{self.before}\n{self.sql}"
