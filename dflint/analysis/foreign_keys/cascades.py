"""What the actions of foreign keys do to rows when other rows are deleted or changed.

The server works off one row at a time; here a step is taken for whole tables: rows of this table *may* be deleted,
values of this column *may* change. Which rows these are only the data can say, so the number of rows is that of the
table, at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from dflint.model.foreign_keys import ForeignKey, ForeignKeyNet
from dflint.model.names import Name, print_identity
from dflint.model.schema import Action


class Event(NamedTuple):
    """Rows of a table are deleted (no column), or values of one of its columns change."""

    table: Name
    column: str | None = None


Result = Literal["deleted", "updated", "refused"]


class CascadeOperation(Struct, frozen=True, kw_only=True):
    """What one foreign key makes of an event in the table that it refers to.

    Attributes:
        constraint: the key's printed identity.
        table: printed identity of the table that it is about.
        event: what happens to the rows referred to.
        action: of the key, in such a case.
        result: what becomes of the rows that refer to them: ``refused``: nothing, the server refuses the event as
            long as there are such rows; also where they would get NULL and cannot have it.
        columns: those that change; empty where rows are deleted or the event is refused.
        checks: keys of the table that are checked then, since these columns are theirs: the server refuses the event
            where one is not kept, for example where no row has the default.
        rows: how many rows the table has, which is the most that can be touched; None: nobody knows.
        via: keys on the way from the first table to this one, this one left out.
    """

    constraint: str
    table: str
    event: Literal["delete", "update"]
    action: Action
    result: Result
    columns: tuple[str, ...]
    checks: tuple[str, ...]
    rows: int | None
    via: tuple[str, ...]


def cascades(
    net: ForeignKeyNet, events: Iterable[Event], *, first: frozenset[str] | None = None
) -> tuple[CascadeOperation, ...]:
    """Everything that follows from some events, the nearest first.

    Args:
        net: the foreign keys.
        events: what happens at first; a statement of the user's, which touches inheritance children too.
        first: identities of the keys that matter to these; None: all. What follows from what they do is not limited.
    """
    return tuple(_Closure(net, first).run(events))


def through(net: ForeignKeyNet, keys: Iterable[ForeignKey]) -> tuple[CascadeOperation, ...]:
    """What some keys do when rows they refer to are deleted or their keys changed, and all that follows from it."""
    listed = list(keys)
    events = [Event(key.references, column) for key in listed for column in (None, *key.referenced_columns)]
    return cascades(net, events, first=frozenset(key.identity for key in listed))


class _Way(NamedTuple):
    """A key, with what is asked of it again and again."""

    key: ForeignKey
    identity: str
    columns: tuple[str, ...]
    referenced: tuple[str, ...]


class _Closure:
    def __init__(self, net: ForeignKeyNet, first: frozenset[str] | None) -> None:
        self._net, self._first = net, first
        self._to: dict[Name, list[_Way]] = {}
        self._own: dict[Name, list[_Way]] = {}
        for key in net.keys:
            if key.enforced:
                way = _Way(key, key.identity, key.columns, key.referenced_columns)
                self._to.setdefault(key.references, []).append(way)
                self._own.setdefault(key.table, []).append(way)
        self._partitions: dict[Name, list[Name]] = {}
        for partition, parent in net.partitions.items():
            self._partitions.setdefault(parent, []).append(partition)
        # With whether it is one of the first: of these not all keys need matter.
        self._via: dict[tuple[Event, bool], tuple[str, ...]] = {}
        self._queue = deque[tuple[Event, bool]]()
        self._found: dict[tuple[str, str], CascadeOperation] = {}
        self._printed: dict[Name, str] = {}
        self._kin: dict[Name, tuple[Name, ...]] = {}

    def run(self, events: Iterable[Event]) -> Iterator[CascadeOperation]:
        starting = {each for event in events for each in self._with_children(event)}
        for event in sorted(starting, key=lambda event: (event.table, event.column or "")):
            self._happens(event, (), first=True)
        while self._queue:
            event, first = self._queue.popleft()
            via = self._via[event, first]
            moves = event.column is not None and self._moves(event.table, {event.column})
            for table in self._same_rows(event.table):
                for way in self._to.get(table, ()):
                    if not first or self._first is None or way.identity in self._first:
                        self._follow(way, event, via)
                        # A key that is about one partition loses the row in any version.
                        if moves and (self._net.moving_deletes or table in self._net.partitions):
                            self._follow(way, Event(event.table), via)
        return iter(self._found.values())

    def _with_children(self, event: Event) -> Iterator[Event]:
        yield event
        for child in self._net.children.get(event.table, ()):
            yield from self._with_children(Event(child, event.column))

    def _same_rows(self, table: Name) -> tuple[Name, ...]:
        """The table, and those that have rows of it too: its partitions, and what it is a partition of."""
        found = self._kin.get(table)
        if found is None:
            above = [table]
            while above[-1] in self._net.partitions:
                above.append(self._net.partitions[above[-1]])
            below = [table]
            for each in below:
                below.extend(self._partitions.get(each, ()))
            found = self._kin[table] = (*reversed(above[1:]), *below)
        return found

    def _happens(self, event: Event, via: tuple[str, ...], *, first: bool = False) -> None:
        pending = [event]
        for each in pending:
            if (each, first) not in self._via:
                self._via[each, first] = via
                self._queue.append((each, first))
                if each.column is not None:
                    pending += [Event(each.table, made) for made in self._made_of(each.table, (each.column,))]

    def _follow(self, way: _Way, event: Event, via: tuple[str, ...]) -> None:
        key, identity, columns, referenced_columns = way
        what: Literal["delete", "update"] = "update"
        if event.column is None:
            what, action, changed = "delete", key.on_delete, key.set_columns or columns
        elif event.column in referenced_columns:
            action, changed = key.on_update, columns
            if action == "cascade":
                changed = tuple([own for own, referenced in key.pairs if referenced == event.column])
        else:
            return
        result: Result = "updated"
        if action in ("no_action", "restrict") or (
            action == "set_null" and not self._net.not_null.get(key.table, frozenset()).isdisjoint(changed)
        ):
            result, changed = "refused", ()
        elif action == "cascade" and event.column is None:
            result, changed = "deleted", ()
            self._happens(Event(key.table), (*via, identity))
        for column in changed:
            self._happens(Event(key.table, column), (*via, identity))
        known = self._found.get((identity, what))
        if known is not None:
            # Another of the columns that it refers to changes.
            changed = tuple([own for own in columns if own in known.columns or own in changed])
            via = known.via
        self._found[identity, what] = CascadeOperation(
            constraint=identity,
            table=self._identity(key.table),
            event=what,
            action=action,
            result=result,
            columns=changed,
            checks=self._checked(key, action, changed),
            rows=self._net.rows.get(key.table),
            via=via,
        )

    def _checked(self, key: ForeignKey, action: Action, changed: tuple[str, ...]) -> tuple[str, ...]:
        """The keys that new values of these columns may not keep.

        NULL keeps all but a MATCH FULL key, if it is mixed. A row that goes to another partition is checked for all;
        and what a key refers to may have left the partition that the key is about.
        """
        if not changed:
            return ()
        new = {*changed, *self._made_of(key.table, changed)}
        moves = self._moves(key.table, new)
        leaves = key.references in self._net.partitions
        found = []
        for table in self._same_rows(key.table):
            for other, identity, columns, _ in self._own.get(table, ()):
                nulls = action == "set_null" and (other.match != "full" or new.issuperset(columns))
                kept = nulls or new.isdisjoint(columns) or (action == "cascade" and other is key and not leaves)
                if moves or not kept:
                    found.append(identity)
        return tuple(sorted(found))

    def _moves(self, table: Name, columns: set[str]) -> bool:
        """Whether new values of these columns may take a row to another partition."""
        if not self._net.partitioned_by:
            return False
        for each in self._same_rows(table):
            by = self._net.partitioned_by.get(each, frozenset())
            if by is None or not by.isdisjoint(columns):
                return True
        return False

    def _made_of(self, table: Name, columns: Collection[str]) -> list[str]:
        """The generated columns that are computed from one of these."""
        generated = self._net.generated.get(table)
        if generated is None:
            return []
        return [made for made, of in generated.items() if not set(of).isdisjoint(columns)]

    def _identity(self, table: Name) -> str:
        found = self._printed.get(table)
        if found is None:
            found = self._printed[table] = print_identity("table", table.schema or "public", table.name)
        return found
