"""What the exit status says; the same whatever the output format."""

from __future__ import annotations

FINE = 0
#: Findings at or above the fail level.
FINDINGS = 1
#: Usage, configuration, unreadable input, internal error.
UNUSABLE = 2
NOTHING_COLLECTED = 3
INTERRUPTED = 130
