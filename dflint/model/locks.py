"""PostgreSQL's eight table lock modes, their order and their conflicts (documentation, "Table-Level Locks")."""

from __future__ import annotations

#: Weakest first, in SQL spelling.
MODES: tuple[str, ...] = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)

_CONFLICTS: dict[str, frozenset[str]] = {
    "ACCESS SHARE": frozenset(MODES[7:]),
    "ROW SHARE": frozenset(MODES[6:]),
    "ROW EXCLUSIVE": frozenset(MODES[4:]),
    "SHARE UPDATE EXCLUSIVE": frozenset(MODES[3:]),
    "SHARE": frozenset(MODES[2:]) - {"SHARE"},
    "SHARE ROW EXCLUSIVE": frozenset(MODES[2:]),
    "EXCLUSIVE": frozenset(MODES[1:]),
    "ACCESS EXCLUSIVE": frozenset(MODES),
}
_RANK = {mode: rank for rank, mode in enumerate(MODES)}


def conflicts(mode: str, other: str) -> bool:
    """Whether one session must wait for the other's lock."""
    return other in _CONFLICTS[mode]


def stronger(mode: str, other: str) -> str:
    """The mode listed later in PostgreSQL's table of modes."""
    return mode if _RANK[mode] >= _RANK[other] else other


def blocks_reads(mode: str) -> bool:
    """Whether SELECT must wait."""
    return "ACCESS SHARE" in _CONFLICTS[mode]


def blocks_writes(mode: str) -> bool:
    """Whether INSERT, UPDATE and DELETE must wait."""
    return "ROW EXCLUSIVE" in _CONFLICTS[mode]
