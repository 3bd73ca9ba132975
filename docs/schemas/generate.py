"""Writes the JSON Schemas of the machine formats beside this file. A test says when that is due."""

from __future__ import annotations

from pathlib import Path

from dflint.app import assess_documents, effects, execution_documents
from dflint.catalog import snapshot_schema
from dflint.planning import plan_file
from dflint.trace import trace_file
from dflint_reports import lint_document
from dflint_reports.impact import document as impact_document

if __name__ == "__main__":
    here = Path(__file__)
    here.with_name("assess.schema.json").write_bytes(assess_documents.schema())
    here.with_name("lint.schema.json").write_bytes(lint_document.schema())
    here.with_name("effects.schema.json").write_bytes(effects.schema())
    here.with_name("impact.schema.json").write_bytes(impact_document.schema())
    here.with_name("plan.schema.json").write_bytes(plan_file.schema())
    here.with_name("snapshot.schema.json").write_bytes(snapshot_schema.schema())
    here.with_name("snapshot-statistics.schema.json").write_bytes(snapshot_schema.statistics_schema())
    here.with_name("trace.schema.json").write_bytes(trace_file.schema())
    for name, content in execution_documents.schemas().items():
        here.with_name(f"{name}.schema.json").write_bytes(content)
