"""A trace for people: a block for each transaction, the strongest lock of a statement first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dflint.model.locks import MODES, blocks_reads, blocks_writes
from dflint.model.names import Identity
from dflint.model.trace import Outcome, Trace, TracedStatement, TracedTransaction
from dflint.trace.bug_report import describe

#: ANSI codes: bold, dim, red, yellow, cyan.
_CODES = {"bold": "1", "dim": "2", "error": "1;31", "strong": "31", "medium": "33", "weak": "36"}

_WAITING = {
    "writers_of_target": "transactions that write the table",
    "readers_of_target": "transactions that read the table",
    "old_snapshots": "every transaction with an older snapshot",
}
_OUTCOMES: dict[Outcome, str] = {
    "committed": "committed",
    "rolled_back": "rolled back",
    "failed": "failed: nothing of it remains",
    "prepared": "prepared",
    "open": "never ended: rolled back",
}

#: Relations listed under one lock mode.
_LISTED = 6

Paint = Callable[[str, str], str]


def render(trace: Trace, *, width: int, color: bool, verbose: bool, file: str) -> str:
    """The trace as text.

    Args:
        width: columns to use.
        verbose: what drivers and runners do for themselves, too.
        file: where the trace was written.
    """
    paint = _coloured if color else _plain
    blocks = [_title(trace, paint)]
    if trace.remarks:
        blocks.append("\n".join(f"{paint('note', 'medium')} {_visible(remark)}" for remark in trace.remarks))
    shown = 0
    for transaction in trace.transactions:
        lines = _transaction(transaction, width, paint, verbose=verbose)
        shown += bool(lines)
        if lines:
            blocks.append("\n".join(lines))
    blocks.append("\n".join(_end(trace, paint, file, verbose=verbose)))
    return "\n\n".join(blocks) + "\n"


def _coloured(text: str, style: str) -> str:
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def _plain(text: str, _style: str) -> str:
    return text


def _title(trace: Trace, paint: Paint) -> str:
    what = " ".join(trace.command) if trace.command else _files(trace.files)
    rows = f", tables filled with {trace.rows:,} rows" if trace.rows else ""
    return f"{paint(_visible(what), 'bold')} on PostgreSQL {trace.pg_version}{rows}"


def _files(files: tuple[str, ...]) -> str:
    return files[0] if len(files) == 1 else f"{len(files)} files, {files[0]} to {files[-1]}"


# --- transactions -----------------------------------------------------------------------------------------------------


def _transaction(transaction: TracedTransaction, width: int, paint: Paint, *, verbose: bool) -> list[str]:
    """The lines of a transaction; none when there is nothing in it to be shown."""
    shown = [statement for statement in transaction.statements if verbose or statement.role == "migration"]
    shown = [statement for statement in shown if verbose or not _is_quiet(statement)]
    if not any(verbose or statement.role == "migration" for statement in shown):
        return []
    label = f"  {paint(_visible(transaction.label), 'bold')}" if transaction.label else ""
    session = f"  session {transaction.session}" if transaction.session > 1 else ""
    body = [line for part in _repeated(shown) for line in _statement(*part, width - 2, paint)]
    if transaction.kind == "autocommit":
        failed = "" if transaction.outcome == "committed" else f"  {paint(_OUTCOMES[transaction.outcome], 'error')}"
        head = f"{paint('─', 'dim')} {transaction.id}  by itself{label}{session}{failed}"
        return [head, *(f"  {line}" for line in body)]
    kind = "BEGIN … COMMIT" if transaction.kind == "explicit" else "one implicit transaction"
    style = "dim" if transaction.outcome == "committed" else "error"
    return [
        f"{paint('┌', 'dim')} {transaction.id}  {kind}{label}{session}",
        *(f"{paint('│', 'dim')} {line}" for line in body),
        f"{paint('└', 'dim')} {paint(_OUTCOMES[transaction.outcome], style)}",
    ]


def _is_quiet(statement: TracedStatement) -> bool:
    """Rows read, or settings that only the session sees: nothing to look at when nothing went wrong."""
    return statement.operations == ("select",) and statement.error is None and not statement.rewrites


def _repeated(statements: Iterable[TracedStatement]) -> Iterator[tuple[TracedStatement, int]]:
    """Statements, those that follow each other and look alike only once, with how often."""
    last: TracedStatement | None = None
    count = 0
    for statement in statements:
        if last is not None and _alike(last, statement):
            count += 1
            continue
        if last is not None:
            yield last, count
        last, count = statement, 1
    if last is not None:
        yield last, count


def _alike(one: TracedStatement, other: TracedStatement) -> bool:
    if one.error is not None or other.error is not None or one.differs or other.differs:
        return False
    if one.operations not in (("insert",), ("update",), ("delete",)) or one.operations != other.operations:
        return False
    return one.sql.split()[:3] == other.sql.split()[:3] and one.locks == other.locks


# --- statements -------------------------------------------------------------------------------------------------------


def _statement(statement: TracedStatement, times: int, width: int, paint: Paint) -> Iterator[str]:
    lasted = "" if statement.duration_ms is None else _duration(statement.duration_ms)
    if statement.wal_bytes:
        lasted = f"{lasted}, {_size(statement.wal_bytes)} WAL".removeprefix(", ")
    if times > 1:
        lasted = f"{times} times"
    sql = _abbreviated(statement.sql, width - len(lasted) - 2)
    style = "dim" if statement.role != "migration" else "bold"
    gap = " " * max(2, width - len(sql) - len(lasted))
    yield f"{paint(sql, style)}{gap}{paint(lasted, 'dim')}" if lasted else paint(sql, style)
    if statement.error is not None:
        sqlstate = f" ({statement.error.sqlstate})" if statement.error.sqlstate else ""
        yield f"    {paint('error', 'error')} {_visible(statement.error.message)}{sqlstate}"
    if statement.not_observed is not None:
        yield f"    {paint(statement.not_observed, 'dim')}"
    yield from _locks(_all_locks(statement), paint)
    did = [
        *_did("rewrites", statement.rewrites),
        *_did("scans", statement.scans),
        *_did("rebuilds", statement.index_rebuilds),
    ]
    if did:
        yield f"    {paint(', '.join(did), 'medium')}"
    if statement.transaction == "refused":
        yield "    cannot run in a transaction"
    for whom in statement.waits_for or ():
        yield f"    waits for {_WAITING.get(whom, whom)}"
    if statement.leftover_on_timeout:
        yield f"    cancelled while it waits, it leaves behind: {statement.leftover_on_timeout.replace('_', ' ')}"
    for difference in statement.differs:
        yield f"    {paint('differs', 'error')} {describe(difference)}"
    for unknown in statement.predicted.unknown if statement.predicted else ():
        yield f"    {paint('not predicted', 'medium')} {_visible(unknown)}"


def _all_locks(statement: TracedStatement) -> dict[str, str]:
    """The locks, tables first.

    Those of a statement outside a transaction are only glimpsed; predictions complete them.
    """
    locks = dict(statement.locks or {})
    if statement.transaction == "refused" and statement.predicted is not None and not statement.differs:
        locks |= statement.predicted.locks
    return dict(sorted(locks.items(), key=lambda item: (item[0].partition(":")[0] != "table", item[0])))


def _locks(locks: dict[str, str], paint: Paint) -> Iterator[str]:
    for mode in reversed(MODES):
        held = [_short(identity) for identity, each in locks.items() if each == mode]
        if not held:
            continue
        more = f" and {len(held) - _LISTED} more" if len(held) > _LISTED else ""
        style = "strong" if blocks_reads(mode) else "medium" if blocks_writes(mode) else "weak"
        stopped = "reads and writes wait" if blocks_reads(mode) else "writes wait" if blocks_writes(mode) else ""
        tail = f"  {paint(f'({stopped})', 'dim')}" if stopped else ""
        yield f"    {paint(f'{mode:22}', style)} {', '.join(held[:_LISTED])}{more}{tail}"


def _did(verb: str, identities: tuple[str, ...] | None) -> list[str]:
    if not identities:
        return []
    names = [_short(identity) for identity in identities]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return [f"{verb} {', '.join(names[:_LISTED])}{more}"]


def _short(identity: str) -> str:
    """An identity as people call it: no kind for tables, no schema for public."""
    parsed = Identity.parse(identity)
    parts = parsed.parts[1:] if parsed.parts[0] == "public" and len(parsed.parts) > 1 else parsed.parts
    name = _visible(".".join(parts))
    return name if parsed.kind == "table" else f"{parsed.kind.replace('_', ' ')} {name}"


def _abbreviated(sql: str, width: int) -> str:
    text = _visible(" ".join(sql.split()))
    return text if len(text) <= width else text[: max(width - 2, 20)] + " …"


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else f"{milliseconds:.1f} ms"


def _size(size: int) -> str:
    """Bytes, in the unit that leaves one to three digits before the point."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size} {unit}"
        size = round(size / 1000)
    return f"{size:,} GB"


def _visible(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(each if each.isprintable() else "�" for each in text)


# --- the end ----------------------------------------------------------------------------------------------------------


def _end(trace: Trace, paint: Paint, file: str, *, verbose: bool) -> Iterator[str]:
    statements = [statement for transaction in trace.transactions for statement in transaction.statements]
    own = sum(statement.role == "migration" for statement in statements)
    left_out = sum(statement.role in ("noise", "bookkeeping") for statement in statements)
    counted = f"{_number(own, 'statement')} in {_number(len(trace.transactions), 'transaction')}"
    yield paint(counted, "bold")
    if left_out and not verbose:
        yield f"{_number(left_out, 'statement')} of the driver and the runner for themselves left out (-v shows them)"
    if trace.exit_status:
        yield f"{paint('the command failed', 'error')} with exit status {trace.exit_status}"
    wrong = sum(bool(statement.differs) for statement in statements)
    judged = sum(statement.predicted is not None for statement in statements)
    if wrong:
        yield paint(f"dflint predicted {_number(wrong, 'statement')} wrongly, which is a bug of dflint's", "error")
    elif judged:
        yield f"all {_number(judged, 'prediction')} of dflint came true"
    yield f"trace: {file} (dflint lint {file})"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
