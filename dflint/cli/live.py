"""What an execution is doing now: lanes on a terminal, a line from time to time elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from dflint.cli import terminal

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

#: Seconds between two lines where nobody looks at a terminal.
HEARTBEAT_S = 5.0
#: Cells of the bar.
_BAR = 24


class Listener(Protocol):
    """Is told what happens, and closed when nothing more will."""

    def event(self, kind: str, **detail: Any) -> None:
        """Something happened."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class LiveState:
    """What is known of the step that is under way.

    Attributes:
        step: which it is; "" before the first.
        fraction: how much is done, from 0 to 1; None where nobody knows how much there is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.step = ""
        self._begin("")

    def _begin(self, step: str) -> None:
        self.step = step
        self.fraction: float | None = None
        self._began = self._clock()
        self._attempt = 1
        self._locks = "none waited for"
        self._waiters = "nobody waits for it"
        self._progress = ""
        self._pause = ""

    def take_in(self, kind: str, detail: dict[str, Any]) -> None:
        """Something happened; see `dflint.guard.progress`."""
        if kind == "step":
            number = (detail.get("ord") or 0) + 1
            self._begin(f"{number} of {detail['of']}, {detail['step_kind']}: {detail['sql']}")
        elif kind == "attempt":
            self._attempt = detail["number"] + 1
        elif kind == "sample":
            self._sample(detail)
        elif kind == "progress":
            self._pause = ""
            self._rows(detail)
        elif kind in {"throttled", "waiting"}:
            self._pause = detail.get("reason") or detail.get("why") or "; ".join(detail.get("blockers", ()))
        elif kind in {"done", "finished", "failed", "interrupted"}:
            self._begin("")

    def _sample(self, detail: dict[str, Any]) -> None:
        blockers = detail["blockers"]
        if detail["waits"]:
            who = "; ".join(map(_blocker, blockers)) or "somebody whom this role may not see"
            self._locks = f"waits for {who}"
        else:
            self._locks = "none waited for"
        waiters = detail["waiters"]
        if waiters:
            longest = max(waiter["waited_s"] for waiter in waiters)
            self._waiters = f"{_count(len(waiters), 'session')}, the longest for {longest:.1f} s"
        else:
            self._waiters = "nobody waits for it"
        if detail["blocked_s"]:
            self._waiters += f"; {detail['blocked_s']:.1f} s altogether so far"
        if detail["progress"] is not None:
            self._server_progress(detail["progress"])

    def _server_progress(self, progress: dict[str, Any]) -> None:
        done, total = progress["done"], progress["total"]
        text = f"{progress['command']}, {progress['phase']}: {done:,}"
        # What a phase counts says nothing of the phases to come: it is the phase's share, and said so.
        self.fraction = None if total is None else min(done / total, 1.0)
        text += (
            f" {progress['unit']}, of how many is not known" if total is None else f" of {total:,} {progress['unit']}"
        )
        if progress["waits_for"] is not None:
            text += f", waits for pid {progress['waits_for']}"
        self._progress = text

    def _rows(self, detail: dict[str, Any]) -> None:
        done, estimate = detail["done"], detail["estimate"]
        if not estimate:
            self.fraction = None
            self._progress = f"{done:,} rows, of how many is not known"
            return
        # An estimate may be too low; it is done when it says so.
        self.fraction = min(done / estimate, 0.99)
        self._progress = f"{done:,} of about {estimate:,} rows, {detail['size']:,} in a batch"

    def lanes(self) -> list[tuple[str, str]]:
        """Name and text of each lane; none between steps."""
        if not self.step:
            return []
        attempt = f", attempt {self._attempt}" if self._attempt > 1 else ""
        progress = self._pause and f"paused: {self._pause}"
        return [
            ("step", f"{self.step}{attempt}, {self._clock() - self._began:.0f} s"),
            ("locks", self._locks),
            ("waiters", self._waiters),
            ("progress", progress or self._progress or "the server does not tell"),
        ]

    def line(self) -> str:
        """All lanes in one line."""
        share = "" if self.fraction is None else f" ({self.fraction:.0%})"
        return "; ".join(f"{name} {text}" for name, text in self.lanes()) + share


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _blocker(blocker: dict[str, Any]) -> str:
    who = f"prepared transaction {blocker['query']}" if blocker["kind"] == "prepared" else f"pid {blocker['pid']}"
    age = "" if blocker["xact_age_s"] is None else f"for {blocker['xact_age_s']:.0f} s"
    where = f"on {blocker['relation']}" if blocker["relation"] else ""
    kind = blocker["kind"].replace("_", " ")
    return " ".join(part for part in (who, f"({blocker['application'] or kind}, {kind})", age, where) if part)


class Heartbeats:
    """Says a line from time to time, so that a log shows that something is going on."""

    def __init__(self, lines: Listener | Any, say: Callable[[str], None] = terminal.say) -> None:
        self._lines = lines
        self._say = say
        self._state = LiveState()
        self._said = time.monotonic()

    def event(self, kind: str, **detail: Any) -> None:
        """Pass it on, and say how it is going when it is time."""
        self._state.take_in(kind, detail)
        self._lines.event(kind, **detail)
        now = time.monotonic()
        if kind not in {"sample", "progress"}:
            self._said = now
        elif now - self._said >= HEARTBEAT_S and self._state.step:
            self._said = now
            self._say(self._state.line())

    def close(self) -> None:
        """Nothing."""


class LiveView:
    """Lanes at the bottom of a terminal; what happened is printed above."""

    def __init__(self, lines: Listener | Any, stream: TextIO | None = None) -> None:
        # Costs as much to import as a small lint run takes.
        from rich.console import Console

        self._lines = lines
        self._state = LiveState()
        self._console = Console(file=stream, stderr=stream is None, highlight=False)
        self._live: Live | None = None

    def event(self, kind: str, **detail: Any) -> None:
        """Print it, and bring the lanes up to date."""
        self._state.take_in(kind, detail)
        self._lines.event(kind, **detail)
        if self._state.step and self._live is None:
            from rich.live import Live

            self._live = Live(
                console=self._console, get_renderable=self._rendered, refresh_per_second=5, transient=True
            )
            self._live.start()

    def close(self) -> None:
        """Take the lanes away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _rendered(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="ellipsis", no_wrap=True)
        for name, text in self._state.lanes():
            table.add_row(name, Text(text))
        fraction = self._state.fraction
        if fraction is not None and self._state.step:
            full = int(fraction * _BAR)
            table.add_row("", Text(f"{'█' * full}{'░' * (_BAR - full)} {fraction:.0%}"))
        return table


def listener(lines: Any, *, quiet: bool) -> Listener:
    """What shows an execution on stderr.

    Args:
        lines: prints what happened, each in a line.
        quiet: no word of what is going on meanwhile.
    """
    if quiet:
        return Heartbeats(lines, say=lambda _text: None)
    return LiveView(lines) if terminal.progress() is not None else Heartbeats(lines)
