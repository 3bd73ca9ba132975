"""Comments, owners and privileges: bringing them back, alone or with an object that is made again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dflint.model.catalog import Table, View
from dflint.model.names import Name
from dflint.model.operations.objects import AlterDefaultPrivileges, ChangeOwner, Comment, GrantPrivileges
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.planning.undo.before import Before, Irreversible, identity
from dflint.planning.undo.naming import Named, named
from dflint.planning.undo.spelling import WORDS, columns, object_sql, quoted, role_sql

_PRIVILEGES: Final = {
    "r": "SELECT",
    "a": "INSERT",
    "w": "UPDATE",
    "d": "DELETE",
    "D": "TRUNCATE",
    "x": "REFERENCES",
    "t": "TRIGGER",
    "m": "MAINTAIN",
    "U": "USAGE",
    "C": "CREATE",
    "X": "EXECUTE",
    "c": "CONNECT",
    "T": "TEMPORARY",
}
_LETTERS: Final = {word.lower(): letter for letter, word in _PRIVILEGES.items()} | {"temp": "T"}
#: All privileges that there are on a kind of object.
_ALL: Final = {
    "table": "arwdDxtm",
    "view": "arwdDxtm",
    "materialized_view": "arwdDxtm",
    "foreign_table": "arwdDxtm",
    "sequence": "rwU",
    "column": "arwx",
    "function": "X",
    "procedure": "X",
    "routine": "X",
    "aggregate": "X",
    "schema": "UC",
    "type": "U",
    "domain": "U",
    "language": "U",
    "server": "U",
    "fdw": "U",
    "tablespace": "C",
    "database": "CTc",
}
#: What everybody has on an object whose access control list was never changed.
_USUAL: Final = {
    **dict.fromkeys(("function", "procedure", "routine", "aggregate"), "X"),
    **dict.fromkeys(("type", "domain", "language"), "U"),
    "database": "cT",
}
_RELATIONS: Final = frozenset({"table", "view", "materialized_view", "foreign_table"})


class _Grants:
    """Who had what on an object."""

    def __init__(self, kind: str, entries: Iterable[str] | None, owner: str | None) -> None:
        self.held: dict[str, dict[str, bool]] = {}
        if entries is None:
            self.held["public"] = dict.fromkeys(_USUAL.get(kind, ""), False)
            if owner is not None and kind != "column":
                self.held[owner] = dict.fromkeys(_ALL.get(kind, ""), False)
            return
        for entry in entries:
            grantee, letters = _entry(entry)
            of_grantee = self.held.setdefault(grantee, {})
            for letter, following in zip(letters, [*letters[1:], ""], strict=True):
                if letter != "*":
                    of_grantee[letter] = following == "*"

    def of(self, grantee: str) -> dict[str, bool]:
        """Letter -> whether it could be granted on."""
        return self.held.get(grantee, {})


def _entry(text: str) -> tuple[str, str]:
    """Grantee and letters of an access control entry: ``alice=r*w/owner``."""
    if text.startswith('"'):
        end = 1
        while text[end : end + 2] == '""' or text[end] != '"':
            end += 2 if text[end : end + 2] == '""' else 1
        return text[1:end].replace('""', '"'), text[end + 2 :].partition("/")[0]
    grantee, _, rest = text.partition("=")
    return grantee or "public", rest.partition("/")[0]


def undo_privileges(before: Before, operation: GrantPrivileges) -> list[str]:
    """GRANT and REVOKE."""
    before.needs_details("who had which privileges")
    if operation.cascade:
        raise Irreversible("CASCADE takes privileges from others whom the catalog does not name")
    found: list[str] = []
    for each in _granted(before, operation):
        found += _on_object(before, operation, each)
    return found


def _granted(before: Before, operation: GrantPrivileges) -> Iterator[Named]:
    if operation.all_in_schema is None:
        yield named(before, operation.object_kind, operation.target, operation.arguments)
        return
    kind, schema = operation.object_kind, operation.all_in_schema
    if kind in ("table", "sequence"):
        for name, relation in sorted(before.catalog.relations.items()):
            wanted = isinstance(relation, (Table, View)) if kind == "table" else type(relation).__name__ == "Sequence"
            if name.schema == schema and relation is not None and wanted:
                yield named(before, kind, name, None)
        return
    for name, overloads in sorted(before.catalog.routines.items()):
        for routine in overloads or () if name.schema == schema else ():
            inputs = [each.type for each in routine.parameters if each.mode not in ("out", "table")]
            if kind == "routine" or kind == routine.kind:
                yield named(before, routine.kind, name, inputs)


def _on_object(before: Before, operation: GrantPrivileges, object_: Named) -> list[str]:
    details = before.catalog.details
    kind, owner = object_.kind, owner_of(before, object_)
    word = "TABLE" if kind in _RELATIONS else WORDS[kind]
    where = f"{word} {object_.sql}"
    found: list[str] = []
    for column in operation.columns or (None,):
        key = object_.identity if column is None else identity("column", (*object_.identity_parts, column))
        usual = "column" if column is not None else kind
        grants = _Grants(usual, details.privileges.get(key), owner)
        wanted = _letters(operation.privileges, usual)
        if before.version < 17:
            wanted = [letter for letter in wanted if letter != "m"]
        for grantee in operation.grantees:
            if grantee in ("current_user", "current_role", "session_user"):
                raise Irreversible(f"which role {grantee.upper()} is depends on who executes it")
            back = _back(operation, grants.of(grantee), wanted, grantee, where, column)
            if back and column is None and kind in _RELATIONS:
                # What is taken on the table is taken on its columns too.
                back += _on_columns(before, object_, grantee)
            found += back
    if operation.revoke and found and "public" in operation.grantees and object_.identity not in details.privileges:
        # In the order in which the server itself would list them.
        mine = quote_identifier(owner) if owner is not None else None
        everything = ", ".join(_PRIVILEGES[letter] for letter in _ALL[kind])
        if mine is not None and kind in _USUAL:
            return [f"REVOKE ALL ON {where} FROM {mine}", *found, f"GRANT {everything} ON {where} TO {mine}"]
    return found


def _letters(privileges: Iterable[str], kind: str) -> list[str]:
    found: list[str] = []
    for privilege in privileges:
        if privilege.lower() in ("all", "all privileges"):
            return list(_ALL.get(kind, ""))
        letter = _LETTERS.get(privilege.lower())
        if letter is None:
            raise Irreversible(f"the catalog does not say who had {privilege.upper()}")
        found.append(letter)
    return found or list(_ALL.get(kind, ""))


def _on_columns(before: Before, object_: Named, grantee: str) -> list[str]:
    """What somebody had on single columns of a relation."""
    found: list[str] = []
    relation = before.catalog.relations.get(object_.name)
    for column in getattr(relation, "columns", None) or ():
        entries = before.catalog.details.privileges.get(identity("column", (*object_.name, column.name)))
        if entries is not None:
            held = _Grants("column", entries, None).of(grantee)
            found += _granted_to(grantee, held, f"TABLE {object_.sql}", column.name)
    return found


def _granted_to(grantee: str, held: dict[str, bool], where: str, column: str | None = None) -> list[str]:
    """GRANT of what somebody had."""
    of_column = "" if column is None else f" {columns([column])}"
    found: list[str] = []
    for with_option in (False, True):
        letters = [letter for letter, option in held.items() if option is with_option]
        if letters:
            listed = ", ".join(f"{_PRIVILEGES[letter]}{of_column}" for letter in letters)
            tail = " WITH GRANT OPTION" if with_option else ""
            found.append(f"GRANT {listed} ON {where} TO {role_sql(grantee)}{tail}")
    return found


def _back(
    operation: GrantPrivileges, had: dict[str, bool], wanted: list[str], grantee: str, where: str, column: str | None
) -> list[str]:
    def listed(letters: list[str]) -> str:
        of_column = "" if column is None else f" {columns([column])}"
        return ", ".join(f"{_PRIVILEGES[letter]}{of_column}" for letter in letters)

    found: list[str] = []
    who = role_sql(grantee)
    if not operation.revoke:
        new = [letter for letter in wanted if letter not in had]
        if new:
            found.append(f"REVOKE {listed(new)} ON {where} FROM {who}")
        option = [letter for letter in wanted if operation.grant_option and had.get(letter) is False]
        if option:
            found.append(f"REVOKE GRANT OPTION FOR {listed(option)} ON {where} FROM {who}")
        return found
    lost = {letter: had[letter] for letter in wanted if letter in had}
    if operation.grant_option:
        lost = {letter: True for letter, with_option in lost.items() if with_option}
    return _granted_to(grantee, lost, where, column)


def held_by_default(
    kind: str, entries: Iterable[str] | None, role: str, *, everywhere: bool
) -> dict[str, dict[str, bool]]:
    """Who would have what on an object that a role makes: by the default privileges of a schema, or everywhere."""
    usual = "function" if kind == "routine" else kind
    if entries is None and not everywhere:
        return {}
    return _Grants(usual, entries, role).held


def back_from_default(
    before: Before, operation: AlterDefaultPrivileges, held: dict[str, dict[str, bool]]
) -> Iterator[str]:
    """GRANT and REVOKE that take ALTER DEFAULT PRIVILEGES back, without what stands before them."""
    kind = "function" if operation.object_kind == "routine" else operation.object_kind
    wanted = [letter for letter in _letters(operation.privileges, kind) if letter != "m" or before.version >= 17]
    where = f"{WORDS[kind]}S"
    for grantee in operation.grantees:
        had = held.get(grantee, {})
        if operation.revoke:
            yield from _granted_to(grantee, {letter: had[letter] for letter in wanted if letter in had}, where)
            continue
        if any(had.get(letter) is False for letter in wanted):
            raise Irreversible(f"whether {grantee} may give the privileges on is not told by the statement alone")
        new = [_PRIVILEGES[letter] for letter in wanted if letter not in had]
        if new:
            yield f"REVOKE {', '.join(new)} ON {where} FROM {role_sql(grantee)}"


def owner_of(before: Before, object_: Named) -> str | None:
    """The role that owns an object."""
    relation = before.catalog.relations.get(object_.name)
    if object_.kind in _RELATIONS and isinstance(relation, (Table, View)):
        return relation.owner
    return before.catalog.details.owners.get(object_.identity)


def undo_owner(before: Before, operation: ChangeOwner) -> list[str]:
    """OWNER TO."""
    object_ = named(before, operation.object_kind, operation.target, operation.arguments, detail=operation.detail)
    owner = owner_of(before, object_)
    if owner is None:
        raise Irreversible(f"the catalog does not say who owned {object_.shown}")
    sql = [f"ALTER {WORDS[operation.object_kind]} {object_.sql} OWNER TO {quote_identifier(owner)}"]
    return sql + _of_new_owner(before, object_, operation.owner)


def _of_new_owner(before: Before, object_: Named, new: str) -> list[str]:
    """What the new owner had been granted becomes one with what an owner has, and has to be granted again."""
    if role_sql(new) != quote_identifier(new):
        raise Irreversible(f"which role {new.upper()} is depends on who executes it")
    entries = before.catalog.details.privileges.get(object_.identity)
    held = {} if entries is None else _Grants(object_.kind, entries, None).of(new)
    on_columns = _on_columns(before, object_, new) if object_.kind in _RELATIONS else []
    if entries is None or not (held or on_columns):
        return []
    others = sorted(_Grants(object_.kind, entries, None).held) if on_columns else []
    return [
        *_granting(object_, entries, owner_of(before, object_)),
        *[sql for other in others for sql in _on_columns(before, object_, other)],
    ]


# --- comments ---------------------------------------------------------------------------------------------------------


def undo_comment(before: Before, operation: Comment) -> list[str]:
    """COMMENT ON."""
    before.needs_details("what the comment was")
    kind, part = operation.object_kind, operation.column
    if part is None or operation.target is None:
        object_ = named(before, kind, operation.target, operation.arguments, detail=operation.detail)
        return [_comment(WORDS[kind], object_.sql, before.catalog.details.comments.get(object_.identity))]
    if operation.detail == "domain":
        domain = before.resolve_type(operation.target)
        where = f"{quote_identifier(part)} ON DOMAIN {quoted(domain)}"
        return [_comment("CONSTRAINT", where, _comment_of(before, "constraint", (*domain, part)))]
    relation = before.resolve(operation.target)
    if kind == "column":
        where = f"{quoted(relation)}.{quote_identifier(part)}"
        return [_comment("COLUMN", where, _comment_of(before, "column", (*relation, part)))]
    text = _comment_of(before, kind, (*relation, part))
    if kind == "constraint" and text is None:
        text = _comment_of(before, "fk", (*relation, part))
    return [_comment(WORDS[kind], object_sql(kind, Name(None, part), on=relation), text, on=relation, part=part)]


def _comment_of(before: Before, kind: str, parts: tuple[str | None, ...]) -> str | None:
    return before.catalog.details.comments.get(identity(kind, parts))


def _comment(words: str, where: str, text: str | None, *, on: Name | None = None, part: str = "") -> str:
    if words == "CONSTRAINT" and on is not None:
        where = f"{quote_identifier(part)} ON {quoted(on)}"
    return f"COMMENT ON {words} {where} IS {'NULL' if text is None else quote_literal(text).strip()}"


def extras(before: Before, object_: Named) -> list[str]:
    """Comment, owner and privileges of an object that is made again."""
    details = before.catalog.details
    found: list[str] = []
    owner = owner_of(before, object_)
    if owner is not None and object_.kind not in ("index", "trigger", "rule", "policy", "constraint"):
        found.append(f"ALTER {WORDS[object_.kind]} {object_.sql} OWNER TO {quote_identifier(owner)}")
    comment = details.comments.get(object_.identity)
    if comment is not None:
        found.append(_comment(WORDS[object_.kind], object_.sql, comment))
    entries = details.privileges.get(object_.identity)
    if entries is not None:
        found += _granting(object_, entries, owner)
    return found


def _granting(object_: Named, entries: Iterable[str], owner: str | None) -> list[str]:
    """From the usual privileges to those."""
    kind, where = object_.kind, object_.sql
    word = "TABLE" if kind in _RELATIONS else WORDS[kind]
    found = [f"REVOKE ALL ON {word} {where} FROM PUBLIC"] if kind in _USUAL else []
    if owner is not None:
        found.append(f"REVOKE ALL ON {word} {where} FROM {quote_identifier(owner)}")
    for grantee, held in sorted(_Grants(kind, entries, owner).held.items()):
        found += _granted_to(grantee, held, f"{word} {where}")
    return found
