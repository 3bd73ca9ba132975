"""What SET outside a transaction leaves in force for the steps that follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from dflint.model.operations.session import SetVariable
from dflint.model.plan import Timeouts
from dflint.model.quoting import quote_identifier
from dflint.model.session import Session

#: Parameters whose value is a list of names.
NAMES: Final = frozenset("search_path temp_tablespaces session_preload_libraries local_preload_libraries".split())
#: They are the executor's own business: it takes them as the step's timeouts, or sets them itself.
_OF_EXECUTOR: Final = frozenset(
    """lock_timeout statement_timeout transaction_timeout idle_in_transaction_session_timeout idle_session_timeout
    application_name client_encoding""".split()
)
_DURATION: Final = re.compile(r"\s*'?\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|min|h|d)?\s*'?\s*\Z")
_MS: Final = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


class Settings:
    """Remembers how values were written, which a session's settings no longer tell."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def note(self, operation: SetVariable) -> None:
        """Remember what a SET sets."""
        if operation.values is not None:
            key = (operation.name, ", ".join(operation.values))
            self._texts[key] = key[1] if operation.function else _text(operation)

    def carried(self, session: Session) -> dict[str, str]:
        """What a step needs that begins in this session: name -> value, as set_config() takes it."""
        return {
            name: self._texts.get((name, setting.value), setting.value)
            for name, setting in sorted(session.settings)
            if setting.value is not None and not setting.local and name not in _OF_EXECUTOR
        }


def _text(operation: SetVariable) -> str:
    values = operation.values or ()
    if operation.name not in NAMES:
        return ", ".join(values)
    return ", ".join('""' if not value else quote_identifier(value) for value in values)


def with_timeouts(usual: Timeouts, session: Session) -> Timeouts:
    """The timeouts that the file itself set, where it did.

    A file that takes the limit off a lock does not know who executes it: nobody is to wait for it without end.
    """
    lock, statement = _ms(session, "lock_timeout"), _ms(session, "statement_timeout")
    return Timeouts(
        lock if lock and usual.lock_ms else usual.lock_ms,
        statement if statement is not None and usual.statement_ms else usual.statement_ms,
    )


def _ms(session: Session, name: str) -> int | None:
    setting = session.setting(name)
    found = None if setting is None or setting.value is None else _DURATION.match(setting.value)
    if found is None:
        return None
    return round(float(found["number"]) * _MS[found["unit"] or "ms"])


def search_path(settings: Mapping[str, str]) -> tuple[str, ...]:
    """The schemas in which a step's names are looked for, ``$user`` left out."""
    text = settings.get("search_path")
    if text is None:
        return ("public",)
    names = [part.strip() for part in text.split(",")]
    plain = [name[1:-1].replace('""', '"') if name[:1] == '"' else name for name in names]
    return tuple(name for name in plain if name and name != "$user")
