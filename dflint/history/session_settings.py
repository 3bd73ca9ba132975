"""How statements change the session's settings, and those of sessions that begin later."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.model.operations.objects import AlterOther
from dflint.model.operations.session import SetVariable
from dflint.model.session import Session, Setting

#: A search_path, and whether it is known.
Path = tuple[tuple[str, ...], bool]


def with_setting(session: Session, name: str, setting: Setting, path: Path | None) -> Session:
    """The session with a setting, and where ``path`` is given with that search_path."""
    settings = (*((key, old) for key, old in session.settings if key != name), (name, setting))
    if path is None:
        return replace(session, settings=settings)
    return replace(session, settings=settings, search_path=path[0], path_known=path[1])


def search_path(operation: SetVariable) -> Path | None:
    """The search_path that a SET gives; None where it sets another parameter."""
    if operation.name != "search_path":
        return None
    if not operation.known:
        return ("public",), False
    if operation.values is None:
        return ("public",), True
    names = [part.strip() for value in operation.values for part in value.split(",")]
    unquoted = [name[1:-1].replace('""', '"') if name[:1] == '"' else name for name in names]
    return tuple(name for name in unquoted if name and name != "$user"), True


class Defaults:
    """What ALTER DATABASE … SET and ALTER ROLE … SET give to sessions that begin later.

    Of a named role it is not known whether it is the one that runs migrations: its settings then have a value that is
    none.
    """

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}

    def note(self, operation: AlterOther) -> None:
        """Take note of the operation, if it is one of those."""
        if operation.object_kind not in ("database", "role"):
            return
        if operation.action == "reset_all":
            self._settings.clear()
        elif operation.action == "reset":
            for name, _ in operation.options:
                self._settings.pop(name, None)
        elif operation.action == "set":
            unsure = operation.conditional or (operation.object_kind == "role" and operation.target is not None)
            for name, value in operation.options:
                if name != "search_path" and value is not None:
                    self._settings[name] = Setting("not known" if unsure else value)

    def session(self, settings: tuple[tuple[str, Setting], ...]) -> Session:
        """A new session, for which a runner makes ``settings``."""
        given = {name for name, _ in settings}
        return Session(settings=(*[one for one in self._settings.items() if one[0] not in given], *settings))
