"""What roles have beside privileges on objects: settings, memberships, and what they give with what they will make."""

from __future__ import annotations

from typing import Final

from dflint.model.catalog import Other
from dflint.model.operations.objects import AlterDefaultPrivileges, AlterOther, GrantRole
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.planning.settings import NAMES
from dflint.planning.undo.before import NO_INVERSE, Before, Irreversible, identity
from dflint.planning.undo.details import back_from_default, held_by_default
from dflint.planning.undo.spelling import role_sql

_LETTERS: Final = {"table": "r", "sequence": "S", "function": "f", "routine": "f", "type": "T", "schema": "n"}
_SETTING: Final = frozenset({"set", "set_from_current", "reset", "reset_all"})


def alter_other(before: Before, operation: AlterOther) -> list[str]:
    """ALTER ROLE … SET and RESET; of all other forms no inverse is known."""
    if operation.object_kind not in {"role", "database"} or operation.action not in _SETTING:
        raise Irreversible(f"{operation.kind.replace('_', ' ')}: {NO_INVERSE}")
    if operation.object_kind != "role" or operation.detail:
        raise Irreversible("the catalog does not say which settings a database had: it does not know its own name")
    before.needs_details("which settings the role had")
    role = None if operation.target is None else operation.target.name
    if role is not None and role_sql(role) != quote_identifier(role):
        raise Irreversible(f"which role {role.upper()} is depends on who executes it")
    found = before.catalog.others.get(identity("setting", ("role", role)))
    had = dict(found.attributes) if isinstance(found, Other) else {}
    who = f"ALTER ROLE {'ALL' if role is None else quote_identifier(role)}"
    names = had if operation.action == "reset_all" else [name for name, _ in operation.options]
    return [f"{who} {_setting(name, had.get(name))}" for name in names]


def _setting(name: str, value: str | bool | None) -> str:
    spelled = ".".join(map(quote_identifier, name.split(".")))
    if value is None:
        return f"RESET {spelled}"
    # A list of names is kept as it has to be written.
    return f"SET {spelled} TO {value if name in NAMES else quote_literal(str(value)).strip()}"


def grant_role(_before: Before, operation: GrantRole) -> list[str]:
    """GRANT role TO role."""
    raise Irreversible(f"the catalog does not say who was a member of role {', '.join(operation.roles)}")


def default_privileges(before: Before, operation: AlterDefaultPrivileges) -> list[str]:
    """ALTER DEFAULT PRIVILEGES."""
    before.needs_details("which default privileges there were")
    letter = _LETTERS.get(operation.object_kind)
    named = [*operation.roles, *operation.grantees]
    if (
        letter is None
        or not operation.roles
        or any(role_sql(each) != quote_identifier(each) for each in named if each != "public")
    ):
        raise Irreversible("whose default privileges they are depends on who executes it")
    found: list[str] = []
    for role in operation.roles:
        for schema in operation.schemas or (None,):
            parts = (schema, role, letter) if schema is not None else (role, letter)
            entries = before.catalog.details.privileges.get(identity("default_privileges", parts))
            held = held_by_default(operation.object_kind, entries, role, everywhere=schema is None)
            where = f" IN SCHEMA {quote_identifier(schema)}" if schema is not None else ""
            begin = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote_identifier(role)}{where}"
            found += [f"{begin} {each}" for each in back_from_default(before, operation, held)]
    return found
