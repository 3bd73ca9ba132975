"""The piece of a statement's text that PostgreSQL keeps: a view's query, a rule's actions, a policy's expression.

They are found among the tokens, since parse trees do not say where they begin and end.
"""

from __future__ import annotations

from collections.abc import Iterator

from dflint.model.names import Name
from dflint.sql.libpg_query import GrammarError, LibPgQuery
from dflint.sql.references.places import Text

_QUERY_BEGINS = frozenset({"select", "with", "values", "table", "("})


def query_of(sql: str, library: LibPgQuery) -> str | None:
    """The query of CREATE [MATERIALIZED] VIEW … AS; None where there is none."""
    text = _scanned(sql, library)
    if text is None:
        return None
    words = text.words
    for at, _ in _outside(text):
        if words[at] == "as" and words[at + 1 : at + 2] and words[at + 1] in _QUERY_BEGINS:
            return _between(text, at + 1, _without_options(words))
    return None


def statistics_of(sql: str, library: LibPgQuery) -> str | None:
    """What CREATE STATISTICS … ON … FROM … looks at, as a query."""
    text = _scanned(sql, library)
    if text is None:
        return None
    for at, word in _outside(text):
        if word == "on":
            return f"SELECT {_between(text, at + 1, len(text.words))}"
    return None


def assigned(sql: str, option: str, library: LibPgQuery) -> Name | None:
    """The name that an option has for its value: ``SFUNC = schema.name``."""
    text = _scanned(sql, library)
    words = text.words if text is not None else []
    for at, word in enumerate(words):
        if word == option and words[at + 1 : at + 2] == ["="]:
            if words[at + 3 : at + 4] == ["."]:
                return Name(words[at + 2], words[at + 4])
            return Name(None, words[at + 2])
    return None


def rule_of(sql: str, library: LibPgQuery) -> str | None:
    """The condition and the actions of CREATE RULE, as statements."""
    text = _scanned(sql, library)
    if text is None:
        return None
    where = end = None
    for at, _ in _outside(text):
        if text.words[at] == "where" and where is None and end is None:
            where = at
        if text.words[at] == "do" and end is None:
            end = at
    if end is None:
        return None
    first = end + 1 + (text.words[end + 1 : end + 2] in (["also"], ["instead"]))
    last = len(text.words)
    actions = _between(text, first, last)
    if text.words[first : first + 1] == ["("]:
        inner = text.words[first + 1 : first + 2]
        if (inner and inner[0] not in ("select", "with", "values", "(")) or ";" in text.words[first:]:
            actions = _between(text, first + 1, max(at for at in range(last) if text.words[at] == ")"))
    if text.words[first : first + 1] == ["nothing"]:
        actions = ""
    condition = f"SELECT WHERE {_between(text, where + 1, end)};" if where is not None else ""
    return f"{condition}{actions}"


def within_parentheses(sql: str, word: str, library: LibPgQuery) -> str | None:
    """What stands in parentheses after a word that is itself in none: ``USING (…)``."""
    text = _scanned(sql, library)
    if text is None:
        return None
    for at, _ in _outside(text):
        if text.words[at] == word and text.words[at + 1 : at + 2] == ["("]:
            depth = 0
            for end in range(at + 1, len(text.words)):
                depth += {"(": 1, ")": -1}.get(text.words[end], 0)
                if depth == 0:
                    return _between(text, at + 2, end)
    return None


def standard_body_of(sql: str, library: LibPgQuery) -> str | None:
    """The statements of a body of the SQL standard: BEGIN ATOMIC … END, or RETURN expression."""
    text = _scanned(sql, library)
    if text is None:
        return None
    words = text.words
    for at, _ in _outside(text):
        if words[at] == "begin" and words[at + 1 : at + 2] == ["atomic"]:
            end = max(place for place, word in enumerate(words) if word == "end")
            return _returned(text, at + 2, end)
        if words[at] == "return":
            return _returned(text, at, len(words))
    return None


def _returned(text: Text, first: int, last: int) -> str:
    """Statements with each RETURN as a SELECT."""
    pieces, at = [], first
    for end in [*(place for place in range(first, last) if text.words[place] == ";"), last]:
        if end > at:
            begins = text.words[at] == "return"
            pieces.append("SELECT " + _between(text, at + 1, end) if begins else _between(text, at, end))
        at = end + 1
    return ";\n".join(pieces)


def _scanned(sql: str, library: LibPgQuery) -> Text | None:
    try:
        return Text(sql, library)
    except GrammarError:
        return None


def _outside(text: Text) -> Iterator[tuple[int, str]]:
    """The tokens that stand in no parentheses, with their index."""
    depth = 0
    for at, word in enumerate(text.words):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0:
            yield at, word


def _without_options(words: list[str]) -> int:
    """Where a query ends: before WITH [LOCAL | CASCADED] CHECK OPTION or WITH [NO] DATA."""
    last = len(words)
    while last and words[last - 1] == ";":
        last -= 1
    for ending in (["check", "option"], ["data"]):
        if words[last - len(ending) : last] == ending:
            before = last - len(ending) - 1
            if words[before] in ("local", "cascaded", "no"):
                before -= 1
            if words[before] == "with":
                return before
    return last


def _between(text: Text, first: int, last: int) -> str:
    """The text of some tokens."""
    if first >= last:
        return ""
    return text.raw[text.tokens[first].start : text.tokens[last - 1].end].decode()
