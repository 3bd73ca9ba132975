"""The JSON Schemas of the snapshot's two files, as they are kept in ``docs/schemas``."""

from __future__ import annotations

from typing import Any

import msgspec

from dflint.catalog.layout import layout
from dflint.catalog.snapshot_file import FORMAT, SCHEMA_VERSION, header_type, line_type
from dflint.catalog.statistics_file import FORMAT as STATISTICS_FORMAT
from dflint.catalog.statistics_file import SCHEMA_VERSION as STATISTICS_VERSION
from dflint.catalog.statistics_file import document_type, estimate_fields

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HASH = {"type": "string", "pattern": "^[0-9a-f]+$"}


def schema() -> bytes:
    """The JSON Schema (2020-12) of the schema file."""
    described = msgspec.json.schema(header_type())
    lines = msgspec.json.schema(line_type())
    parts: dict[str, Any] = {**described["$defs"], **lines.pop("$defs")}
    for family in layout().families:
        for kind in family.classes:
            # What the writer adds to, and leaves out of, what the encoder makes of the object.
            part = parts[kind.__name__]
            for field in estimate_fields(kind):
                del part["properties"][field]
            part["properties"] |= {"id": {"type": "string"}, "hash": _HASH}
            part["required"] = sorted({*part["required"], "id", "hash"})
    header = parts.pop(described["$ref"].rpartition("/")[2])
    header["properties"] = {
        "format": {"const": FORMAT},
        "schema_version": {"const": SCHEMA_VERSION},
        **header["properties"],
        "hash": _HASH,
        "objects": {"type": "array", "items": lines},
    }
    header["required"] = ["format", "schema_version", *header["required"], "hash", "objects"]
    title = {"$schema": _DIALECT, "title": f"A schema snapshot of dflint, version {SCHEMA_VERSION}"}
    return _formatted({**title, **header, "$defs": parts})


def statistics_schema() -> bytes:
    """The JSON Schema (2020-12) of the statistics file."""
    described = msgspec.json.schema(document_type())
    parts = described["$defs"]
    document = parts.pop(described["$ref"].rpartition("/")[2])
    document["properties"] |= {
        "format": {"const": STATISTICS_FORMAT},
        "schema_version": {"const": STATISTICS_VERSION},
        "schema": _HASH,
    }
    title = {"$schema": _DIALECT, "title": f"The statistics of a schema snapshot, version {STATISTICS_VERSION}"}
    return _formatted({**title, **document, "$defs": parts})


def _formatted(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"
