"""What the safety levels of the decision matrix require, each something that is really done."""

from __future__ import annotations

from typing import Final

#: Names that rows of the matrix may use, and what each does.
CHECKS: Final = {
    "validation": "the server accepts the statement as things stand",
    "not-null-handler": "no row has a null where none may be, and a default fits",
    "dependencies": "nothing outside breaks, or everything that does is named",
    "risk": "the risk was assessed with everything known",
    "mitigation": "a plan with less risk was made, or there is none",
    "rename-analysis": "every dependent of the renamed table is mended by the plan",
    "foreign-keys": "no foreign key of another table is lost or left unchecked",
    "performance": "no scan, build or rewrite runs under a lock that stops others",
    "index-usage": "the server has counted uses of the index, and there were none",
    "lock": "the migration lock can be had",
    "snapshot": "a catalog snapshot was taken",
    "rehearsal": "the plan was executed on a copy of the schema, and was taken back",
}
