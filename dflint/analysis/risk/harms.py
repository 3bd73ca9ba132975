"""The harm that a plan does. Only what is there is said here; how bad it is, risk rules say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.risk.locking import locking_harms
from dflint.analysis.risk.rows import row_harms
from dflint.analysis.risk.running_code import code_harms
from dflint.analysis.risk.undoing import undo_harms
from dflint.analysis.risk.views import Question
from dflint.analysis.risk.work import work_harms
from dflint.model.risk import Harm

#: What risk rules may score, and what each is.
KINDS: Final = {
    "reads_blocked": "nobody can read or write relations while they are locked: `seconds`, `calls`",
    "writes_blocked": "nobody can write to relations while they are locked: `seconds`, `calls`",
    "strong_lock": "a lock that stops others is waited for, and who comes later waits behind it: `calls`",
    "rows_locked": "rows stay locked until one long statement commits: `rows`",
    "not_known": "what a statement does is not known",
    "heap_rewritten": "a table is written anew: `bytes`",
    "table_read": "a table is read from end to end: `bytes`",
    "index_built": "an index is built: `bytes` of its table",
    "rows_rewritten": "rows are updated or deleted, which leaves dead ones behind: `rows`",
    "index_lost": "queries lose an index: `uses` of it that were counted",
    "writes_dearer": "each write does more from now on: `calls`",
    "plans_invalidated": "prepared statements are planned again, or fail",
    "rows_lost": "rows are gone for good: `rows`",
    "values_lost": "the values of a column are gone for good: `rows`",
    "values_changed": "values are converted, and may not be converted back to what they were: `rows`",
    "dropped_along": "further objects are dropped: `count`",
    "unchecked": "a constraint no longer keeps wrong rows out",
    "not_crash_safe": "rows are lost when the server crashes: `rows`",
    "guard_lost": "a trigger, a rule or row security no longer looks at rows",
    "irreversible": "a step cannot be taken back",
    "not_undone": "no statement is known that takes a step back, although nothing is lost",
    "undo_rewrites": "taking it back writes the table anew: `bytes`",
    "undo_checks": "taking it back reads the table, and fails where wrong rows came in meanwhile: `rows`",
    "leftover": "stopped half-way it leaves something behind that has to be cleaned up",
    "table_name_gone": "running code that names the relation fails: `calls`",
    "column_name_gone": "running code that names the column fails: `calls`",
    "object_name_gone": "running code that names a routine, sequence, type or value fails",
    "access_refused": "running code may no longer be allowed what it does",
    "dependents_break": "objects that stay fail when they are used: `count`",
    "dependents_change": "objects that stay mean something else: `count`",
    "dependents_unknown": "it cannot be told what becomes of objects: `count`",
    "type_changed": "running code gets, and gives, values of another type",
    "writes_refused": "running code that writes what it wrote before may be refused",
}


def harms(question: Question) -> Iterator[Harm]:
    """All harm that a plan does, under the question's circumstances."""
    for view in question.steps:
        yield from locking_harms(view, question)
        yield from work_harms(view, question)
        yield from row_harms(view, question)
        yield from undo_harms(view, question)
    yield from code_harms(question)
