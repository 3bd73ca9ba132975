"""The view that goes by a renamed table's old name, so that old and new programs work at the same time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dflint.analysis.rename.impact import RenameImpact
from dflint.model.catalog import Catalog, Table
from dflint.model.errors import InputError
from dflint.model.names import Identity, Name
from dflint.model.quoting import quote_identifier
from dflint.planning.undo.spelling import quoted

#: The first major in which a view can look at its table with the rights of whoever uses it.
_SECURITY_INVOKER: Final = 15
#: grantee=letters/grantor, the names quoted as identifiers are.
_ENTRY: Final = re.compile(r'(?P<grantee>"(?:[^"]|"")*"|[^=]*)=(?P<letters>[a-zA-Z*]*)/')
#: What can be done with a view.
_LETTERS: Final = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


def view_statements(impact: RenameImpact) -> Iterator[str]:
    """The view of a rename, see `compatibility_view`.

    Raises:
        InputError: the server's version has no view that would keep the table's row-level security.
    """
    yield from compatibility_view(impact.catalog, impact.relation, impact.new_name)


def compatibility_view(
    catalog: Catalog,
    table: Table,
    new_name: str,
    *,
    schema: str | None = None,
    owned: bool = True,
    version: int | None = None,
) -> Iterator[str]:
    """Create a view by a table's old name, give it to the table's owner, and grant what is granted on the table.

    Args:
        catalog: before the rename.
        table: as it is before.
        new_name: of the table.
        schema: to which it moves; None: it stays.
        owned: give it to the table's owner; where it looks with the rights of whoever uses it, who owns it decides
            only who may drop it.
        version: major version of the server, where the catalog does not tell.

    Raises:
        InputError: the server's version has no view that would keep the table's row-level security.
    """
    version, old = catalog.version or version, table.name
    invoker = version is not None and version >= _SECURITY_INVOKER
    if not invoker:
        _refuse_leaks(catalog, table)
    name, base = quoted(old), quoted(Name(schema or old.schema, new_name))
    option = " WITH (security_invoker = true)" if invoker else ""
    yield f"CREATE VIEW {name}{option} AS TABLE {base}"
    if table.owner is not None and (owned or not invoker):
        yield f"ALTER VIEW {name} OWNER TO {quote_identifier(table.owner)}"
    details, parts = catalog.details.privileges, (old.schema or "public", old.name)
    yield from _grants(details.get(str(Identity("table", parts)), ()), name, table.owner)
    for column in table.columns:
        identity = Identity("column", (*parts, column.name))
        yield from _grants(details.get(str(identity), ()), name, table.owner, quote_identifier(column.name))


def _refuse_leaks(catalog: Catalog, table: Table) -> None:
    if table.row_security or table.policies:
        raise InputError(
            f"{table.name} has row-level security, which a view before PostgreSQL {_SECURITY_INVOKER} passes by",
            remedy="rename without a compatibility view",
        )
    granted = [each for each in catalog.others if each.startswith("default_privileges:")]
    if granted:
        raise InputError(
            f"default privileges ({', '.join(sorted(granted))}) may let others read the table through the new view",
            remedy="rename without a compatibility view",
        )


def _grants(entries: tuple[str, ...], view: str, owner: str | None, column: str = "") -> Iterator[str]:
    for entry in entries:
        match = _ENTRY.match(entry)
        grantee = _name(match["grantee"]) if match is not None else None
        if match is None or grantee == owner:
            continue
        to = "PUBLIC" if not grantee else quote_identifier(grantee)
        for option in (False, True):
            wanted = [
                word + (f" ({column})" if column else "")
                for letter, word in _LETTERS.items()
                if letter in match["letters"] and (f"{letter}*" in match["letters"]) is option
            ]
            if wanted:
                yield f"GRANT {', '.join(wanted)} ON {view} TO {to}{' WITH GRANT OPTION' if option else ''}"


def _name(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written
