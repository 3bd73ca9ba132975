"""The state of the session that a migration runs in: its transaction and its settings."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

TransactionKind = Literal["none", "explicit", "implicit", "runner", "unknown"]


class Transaction(Struct, frozen=True):
    """The transaction a statement runs in.

    Attributes:
        kind: ``none``: the statement is its own transaction and may be one that PostgreSQL refuses inside a block.
        group: number that all statements of one transaction share within a run.
        reason: in words for users: what opened it, such as "goose wraps each file in a transaction".
        statements: for an implicit transaction, how many statements the string holds; 0 otherwise.
        savepoints: names of open savepoints, outermost first.
        failed_marker: the runner was told to use no transaction, and the server makes one all the same.
    """

    kind: TransactionKind
    group: int = 0
    reason: str = ""
    statements: int = 0
    savepoints: tuple[str, ...] = ()
    failed_marker: bool = False

    @property
    def open(self) -> bool | None:
        """Whether PostgreSQL sees a transaction block (None: unknown)."""
        return None if self.kind == "unknown" else self.kind != "none"


class Setting(Struct, frozen=True):
    """A run-time parameter's value as set by the migration.

    ``value`` None means reset or default. ``statement`` is where it was set.
    """

    value: str | None
    local: bool = False
    statement: int = -1


class Session(Struct, frozen=True):
    """Settings in force before a statement.

    Attributes:
        settings: (name, setting) of parameters that the migration, its runner or the configuration set; names in
            lower case. A parameter not listed has the server's value, which is unknown.
        search_path: schemas in order, ``$user`` left out; ("public",) unless set.
        path_known: False when search_path was set to something that is not constant.
    """

    settings: tuple[tuple[str, Setting], ...] = ()
    search_path: tuple[str, ...] = ("public",)
    path_known: bool = True

    def setting(self, name: str) -> Setting | None:
        """The setting of that name, None when the migration did not touch it."""
        for key, setting in self.settings:
            if key == name:
                return setting
        return None
