"""What no fact about PostgreSQL tells: what event triggers and extensions make of a statement.

Their code runs as part of the statement, and may do or refuse anything. Which statements fire event triggers was seen
on servers of 13 and 18: all DDL but that about roles, databases, tablespaces, settings and event triggers themselves,
REASSIGN OWNED, CLUSTER, TRUNCATE, and, before 17, REINDEX.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from immutables import Map
from msgspec import Struct

from dflint.model.catalog import Catalog, Details, Other
from dflint.model.context import Context
from dflint.model.names import Identity
from dflint.model.operations import objects, tables
from dflint.model.operations.base import Operation
from dflint.model.operations.tables import AlterTableOperation
from dflint.model.session import Session

_DDL = frozenset({objects.__name__, tables.__name__})
#: Kinds of object whose commands fire no event trigger: those that all databases share, and event triggers.
_SILENT_OBJECTS = frozenset({"database", "event_trigger", "parameter", "role", "system", "tablespace"})
_SILENT = frozenset({"grant_role", "revoke_role", "reassign_owned"})
#: Words for objects that their commands' tags have too; a CREATE TYPE and others go by several words here.
_TAGGED = frozenset(
    """aggregate domain extension function index policy procedure publication rule schema sequence table trigger
    view""".split()
) | {"materialized view"}
#: Modes in which rows are read and changed: an extension's own tables take that like any others.
_OF_ROWS = frozenset({"ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE"})


def outside_knowledge(contexts: Iterable[Context], locks: Mapping[str, str]) -> Iterator[str]:
    """What the effects of a statement depend on beside PostgreSQL itself, in words for users.

    Args:
        contexts: of its operations.
        locks: the relations it locks, by printed identity, and the modes.
    """
    details = None
    for context in contexts:
        details = context.catalog.details
        for trigger in _LISTED.of(context.catalog):
            if trigger.fires(context):
                yield f"what the event trigger {trigger.name} does"
    if details is not None and (details.managed or details.extension_members):
        yield from _extensions(details, locks)


def _extensions(details: Details, locks: Mapping[str, str]) -> Iterator[str]:
    managed: dict[str, list[str]] = {}
    for identity, mode in locks.items():
        extension = details.managed.get(identity)
        if extension is not None and mode != "ACCESS SHARE":
            managed.setdefault(extension, []).append(identity)
            continue
        extension = details.extension_members.get(identity)
        if extension is not None and mode not in _OF_ROWS:
            yield f"what the extension {extension} does with its own {identity}"
    for extension, identities in managed.items():
        more = f" and {len(identities) - 1} more" if len(identities) > 1 else ""
        yield f"what the extension {extension} does, which manages {min(identities)}{more}"


class _EventTrigger(Struct, frozen=True):
    """An event trigger; what a history does not tell of it is None.

    Attributes:
        tags: command tags that it is for; empty: all.
    """

    name: str
    event: str | None = None
    state: str = "O"
    tags: tuple[str, ...] = ()

    def fires(self, context: Context) -> bool:
        """Whether the operation may fire it."""
        operation, session = context.operation, context.session
        if self.event == "login" or not _is_ddl(operation, context.version) or not self._is_on(session):
            return False
        if self.event == "sql_drop" and not operation.kind.startswith("drop_"):
            return False
        if self.event == "table_rewrite" and not _may_rewrite(context):
            return False
        return not self.tags or any(_may_be(tag, operation) for tag in self.tags)

    def _is_on(self, session: Session) -> bool:
        if (switch := session.setting("event_triggers")) is not None and switch.value in ("off", "false", "0", "no"):
            return False
        role = session.setting("session_replication_role")
        replica = role is not None and role.value == "replica"
        return self.state == "A" or self.state == ("R" if replica else "O")


def _may_rewrite(context: Context) -> bool:
    """Whether it may rewrite tables in a way that event triggers are told of."""
    kind = context.operation.kind
    altering = isinstance(context.operation, AlterTableOperation) or kind == "alter_attribute_type"
    return altering and context.effect.rewrite is not False


def _is_ddl(operation: Operation, version: int) -> bool:
    kind = operation.kind
    if type(operation).__module__ not in _DDL:
        return kind == "create_index" or (kind == "reindex" and version >= 17)
    shared = operation.target_kind in _SILENT_OBJECTS or getattr(operation, "object_kind", "") in _SILENT_OBJECTS
    return not shared and kind not in _SILENT


def _may_be(tag: str, operation: Operation) -> bool:
    """Whether the operation may be part of a command with that tag."""
    verb, _, rest = operation.kind.partition("_")
    if isinstance(operation, AlterTableOperation) or verb not in (
        "comment", "create", "drop", "grant", "refresh", "reindex", "revoke", "security"
    ):  # fmt: skip
        return tag.startswith("ALTER ")
    words = rest.replace("_", " ")
    if words in _TAGGED:
        return tag == f"{verb.upper()} {words.upper()}"
    return tag.startswith(verb.upper()) or (words == "table as" and tag == "SELECT INTO")


class _Listed:
    """The event triggers of a catalog, sought once: the same other objects come again and again."""

    def __init__(self) -> None:
        self._others: Map[str, Other | bool | None] = Map()
        self._found: tuple[_EventTrigger, ...] = ()

    def of(self, catalog: Catalog) -> tuple[_EventTrigger, ...]:
        """Those that are there, by name."""
        if catalog.others is not self._others:
            found = [
                _event_trigger(identity, other)
                for identity, other in catalog.others.items()
                if other and identity.startswith("event_trigger:")
            ]
            self._others, self._found = catalog.others, tuple(sorted(found, key=lambda each: each.name))
        return self._found


_LISTED = _Listed()


def _event_trigger(identity: str, other: Other | bool) -> _EventTrigger:
    (name,) = Identity.parse(identity).parts
    if not isinstance(other, Other):
        return _EventTrigger(name)
    told = dict(other.attributes)
    tags = told.get("tag") or ""
    return _EventTrigger(name, told.get("event"), told.get("enabled") or "O", tuple(tags.split(", ")) if tags else ())
