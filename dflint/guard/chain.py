"""The chain of hashes through a run's audit trail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.ledger_schema import HASHED

_EVENTS = "SELECT seq, prev_hash, hash, HASHED FROM dflint.event WHERE run_id = %s ORDER BY event.seq".replace(
    "HASHED", ", ".join(HASHED)
)


async def broken_link(connection: AsyncConnection, run_id: UUID) -> str | None:
    """Where a run's audit trail is not as it was written, in words; None where it is."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(_EVENTS.encode(), (run_id,))
    before: bytes | None = None
    last = 0
    for seq, prev_hash, written, *hashed in await cursor.fetchall():
        if seq != last + 1:
            return f"event {last + 1} is missing"
        if prev_hash != before:
            return f"event {seq} does not follow event {last}"
        if _hash(before, hashed) != written:
            return f"event {seq} was changed"
        before, last = written, seq
    await cursor.execute("SELECT length, hash FROM dflint.chain WHERE run_id = %s", (run_id,))
    end = await cursor.fetchone() or (0, None)
    return None if end == (last, before) else f"events are missing after event {last}"


def _hash(before: bytes | None, parts: Sequence[str]) -> bytes:
    """As ``dflint.append_event`` computes it."""
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256((before or b"") + framed.encode()).digest()
