"""An impact as JSON: the document that other programs read."""

from __future__ import annotations

import msgspec

from dflint.model.uses import ImpactReport, ImpactReportDocument, report_document
from dflint.plugin import Output


def render(report: ImpactReport, output: Output) -> str:  # noqa: ARG001  # looks the same everywhere
    """The document; with the key ``queries`` where somebody asked who uses the object."""
    fields = msgspec.to_builtins(report_document(report))
    version = fields.pop("schema_version")
    rest = msgspec.json.encode(fields, order="sorted").decode()
    return msgspec.json.format(f'{{"schema_version":{version},{rest[1:]}') + "\n"


def schema() -> bytes:
    """The document's JSON Schema (2020-12), as it is kept in ``docs/schemas``."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The JSON document of dflint impact, version 1",
        **msgspec.json.schema(ImpactReportDocument),
    }
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"
