"""An impact as JSON: the document that other programs read."""

from __future__ import annotations

import msgspec

from dflint.model.uses import ImpactReport, report_document
from dflint.plugin import Output


def render(report: ImpactReport, output: Output) -> str:  # noqa: ARG001  # looks the same everywhere
    """The document; with the key ``queries`` where somebody asked who uses the object."""
    return msgspec.json.format(msgspec.json.encode(report_document(report))).decode() + "\n"
