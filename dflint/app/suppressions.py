"""Inline directives: ``-- dflint: ignore[rule, rule] -- reason`` and the same in ``/* … */``.

A directive silences the rules it names for one statement, or for one clause of a statement that has several lines:

- outside a statement: the statement whose last line it trails, else the next one;
- on the first line of a statement: the statement, unless clauses of a list already stand on that line;
- inside a statement: the clause on its line, or on the next line with code when it has its own line.

It never silences more than it names. One that is malformed or silences nothing is itself a finding, which cannot be
silenced.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from dflint.app.fingerprints import without_comments
from dflint.app.located import Located
from dflint.model.errors import nearest

MALFORMED = "malformed-suppression"
UNUSED = "unused-suppression"

#: What begins a directive.
MARK = b"dflint:"

#: What speaks to the executor and not to the linter.
_OF_PLANS = "backfill"

_SHAPE = r"(?s)ignore\s*\[(?P<names>[^\[\]]*)\]\s*(?:--(?P<reason>.*))?"
_USAGE = "write: dflint: ignore[rule-name] -- reason"
_BLANK = b" \t\r\f\x0b"


class Span(NamedTuple):
    """Byte offsets in a file's text, the end exclusive."""

    start: int
    end: int


class Directive(NamedTuple):
    """One comment that speaks to dflint.

    Attributes:
        start, end: the comment, as byte offsets.
        names: the rules it names.
        reason: the text after ``--``, "" where there is none.
        problem: why it is malformed, "" when it is not.
        aim: where what it is about begins: the comment itself, or the next code when the comment has its own line.
    """

    start: int
    end: int
    names: tuple[str, ...]
    reason: str
    problem: str
    aim: int


class Remark(NamedTuple):
    """What is wrong with a directive: a finding in the making."""

    rule: str
    message: str
    start: int
    end: int


class Suppressions:
    """The directives of one file."""

    def __init__(
        self,
        text: bytes,
        comments: Iterable[tuple[int, int]],
        *,
        known: Collection[str],
        active: Collection[str] | None = None,
        reason_required: bool = False,
    ) -> None:
        """Read a file's directives.

        Args:
            text: the file.
            comments: its comments as byte offsets, in order, without those of parts that are not judged.
            known: ids of all rules.
            active: ids of the rules that run; only for them can a directive be unused. None: all.
            reason_required: a directive without a reason is malformed.
        """
        self._text = text
        self._known = known
        self._active = known if active is None else active
        self._directives = [
            _verified(directive, known, reason_required=reason_required) for directive in directives(text, comments)
        ]

    def apply(
        self, located: Sequence[Located], statements: Sequence[tuple[int, int]]
    ) -> tuple[list[Located], int, list[Remark]]:
        """Take out what the directives silence.

        Args:
            located: the file's findings.
            statements: where the judged statements' own texts begin and end, in order.

        Returns:
            The findings that remain, in order; how many were silenced; what to say about the directives.
        """
        spans = [Span(start, end) for start, end in statements]
        silenced: set[int] = set()
        remarks: list[Remark] = []
        for directive in self._directives:
            place = Span(directive.start, directive.end)
            if directive.problem:
                remarks.append(Remark(MALFORMED, f"{directive.problem}; it suppresses nothing", *place))
                continue
            reach = _Reach(self._text, directive, spans)
            for name in directive.names:
                hit = reach.of([index for index, one in enumerate(located) if one.finding.rule == name], located)
                silenced.update(hit)
                if not hit and name in self._active:
                    remarks.append(Remark(UNUSED, f"ignore[{name}] suppresses nothing here: remove it", *place))
        kept = [one for index, one in enumerate(located) if index not in silenced]
        return kept, len(silenced), remarks


def directives(text: bytes, comments: Iterable[tuple[int, int]]) -> list[Directive]:
    """The comments that begin with ``dflint:``, read; their rule names are not looked up."""
    spans = [Span(start, end) for start, end in comments]
    found = []
    for index, (start, end) in enumerate(spans):
        if MARK not in text[start:end]:
            continue
        body = _body(text[start:end].decode("utf-8", "replace"))
        words = body.removeprefix(MARK.decode()).strip()
        if body.startswith(MARK.decode()) and not words.startswith(_OF_PLANS):
            names, reason, problem = _read(words)
            found.append(Directive(start, end, names, reason, problem, _aim(text, spans, index)))
    return found


def _body(comment: str) -> str:
    """A comment without its marks."""
    if comment.startswith("--"):
        return comment[2:].strip()
    return comment.removeprefix("/*").removesuffix("*/").strip()


def _read(body: str) -> tuple[tuple[str, ...], str, str]:
    """Names, reason and problem of the text after ``dflint:``."""
    shape = re.fullmatch(_SHAPE, body)
    if shape is None:
        if not body.startswith("ignore"):
            word = body.split(maxsplit=1)[0] if body else ""
            return (), "", f"unknown directive {word!r}: {_USAGE}" if word else f"empty directive: {_USAGE}"
        if "[" not in body:
            return (), "", f"no rule is named: {_USAGE}"
        return (), "", f"text that is no part of a directive: {_USAGE}"
    names = tuple(dict.fromkeys(name.strip() for name in shape["names"].split(",")))
    if "" in names:
        return (), "", f"an empty rule name: {_USAGE}"
    reason = (shape["reason"] or "").strip()
    if shape["reason"] is not None and not reason:
        return names, "", "the reason after -- is empty"
    return names, reason, ""


def _verified(directive: Directive, known: Collection[str], *, reason_required: bool) -> Directive:
    if directive.problem:
        return directive
    for name in directive.names:
        if name in (MALFORMED, UNUSED):
            return directive._replace(problem=f"{name} cannot be suppressed")
        if name not in known:
            return directive._replace(problem=_unknown(name, known))
    if reason_required and not directive.reason:
        return directive._replace(problem=f"the reason is missing: {_USAGE}")
    return directive


def _unknown(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"no rule is called {name!r} ({near})" if near else f"no rule is called {name!r}"


def _aim(text: bytes, comments: Sequence[Span], index: int) -> int:
    """Where the code begins that a comment on its own line is about; the comment's start for any other."""
    start, end = comments[index]
    line_start = text.rfind(b"\n", 0, start) + 1
    line_end = text.find(b"\n", end)
    line_end = len(text) if line_end < 0 else line_end
    if text[line_start:start].strip(_BLANK) or text[end:line_end].strip(_BLANK):
        return start
    position = end
    for following in comments[index + 1 :]:
        if text[position : following.start].strip():
            break
        position = following.end
    rest = text[position:]
    return position + len(rest) - len(rest.lstrip())


class _Reach:
    """What one directive is about: a statement, or some lines of it."""

    def __init__(self, text: bytes, directive: Directive, statements: Sequence[Span]) -> None:
        self._text = text
        self._lines: Span | None = None
        self._statement = self._find(directive, statements)

    def of(self, candidates: Sequence[int], located: Sequence[Located]) -> set[int]:
        """Those of the findings that the directive covers.

        Args:
            candidates: positions in ``located``.
            located: findings of one file.
        """
        statement, lines = self._statement, self._lines
        if statement is None:
            return set()
        inside = [
            i for i in candidates if statement.start <= located[i].start < max(statement.end, statement.start + 1)
        ]
        if lines is None:
            return set(inside)
        touched = [i for i in inside if located[i].start < lines.end and located[i].end > lines.start]
        # What is said about a clause on these lines comes before what is said about the whole statement.
        clauses = [i for i in touched if located[i].start > statement.start]
        return set(clauses or touched)

    def _find(self, directive: Directive, statements: Sequence[Span]) -> Span | None:
        """The statement, having set the lines when it is only about some of them."""
        index = bisect_right(statements, directive.start, key=lambda span: span.start) - 1
        before = statements[index] if index >= 0 else None
        after = statements[index + 1] if index + 1 < len(statements) else None
        if before is not None and directive.start < before.end:
            self._lines = self._inside(directive, before)
            return before
        leads = after is not None and self._one_line(directive.end, after.start)
        if before is not None and not leads and self._one_line(before.end, directive.start):
            self._lines = self._trailing(directive, before)
            return before
        return after

    def _inside(self, directive: Directive, statement: Span) -> Span | None:
        if directive.aim >= statement.end or not self._text[directive.end : statement.end].strip():
            return self._trailing(directive, statement)
        if directive.aim != directive.start:
            return self._line(directive.aim, directive.aim)
        head = self._text[statement.start : directive.start]
        if b"\n" not in head and not _listed(head) and not self._text[directive.end :].lstrip().startswith(b","):
            return None
        return self._line(directive.start, directive.end)

    def _trailing(self, directive: Directive, statement: Span) -> Span | None:
        """After the statement's last line: that line, when it holds the last clause of a list and nothing else."""
        code = self._text[statement.start : min(statement.end, directive.start)].rstrip()
        last = statement.start + code.rfind(b"\n") + 1
        if last == statement.start or not self._text[last : statement.start + len(code)].strip(b" \t;)]"):
            return None
        return self._line(last, directive.start) if _listed(self._text[statement.start : last]) else None

    def _one_line(self, start: int, end: int) -> bool:
        return self._text.find(b"\n", start, end) < 0

    def _line(self, first: int, last: int) -> Span:
        """The whole lines from one offset to another."""
        end = self._text.find(b"\n", last)
        return Span(self._text.rfind(b"\n", 0, first) + 1, len(self._text) if end < 0 else end)


def _listed(head: bytes) -> bool:
    """Whether the innermost open bracket of ``head``, or the text outside brackets, already has a comma."""
    commas = [False]
    quote = ""
    for char in without_comments(head).decode("utf-8", "replace"):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([":
            commas.append(False)
        elif char in ")]" and len(commas) > 1:
            commas.pop()
        elif char == ",":
            commas[-1] = True
    return commas[-1]
