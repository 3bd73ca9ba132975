"""dflint's own Python detectors, offered through the same door as a stranger's. Importing this loads none of them.

One table for each subject of rules: check name -> function in the module of that name.
"""

from __future__ import annotations

from collections.abc import Mapping

from dflint.plugin import hookimpl

_CHECKS: Mapping[str, Mapping[str, str]] = {
    "indexes": {
        "index-build-blocks": "build_blocks",
        "index-drop-blocks": "drop_blocks",
        "index-drop-refused": "drop_refused",
    },
    "columns": {
        "new-column-without-default": "new_column_without_default",
        "default-dropped": "default_dropped",
        "column-renamed": "column_renamed",
    },
    "types": {
        "type-change-rewrites": "type_change_rewrites",
        "type-change-between-timestamps": "type_change_between_timestamps",
        "type-change-narrows": "type_change_narrows",
        "type-change-of-used-column": "type_change_of_used_column",
        "type-change-of-default": "type_change_of_default",
    },
    "enums": {
        "enum-value-used-in-transaction": "enum_value_used_in_transaction",
    },
}


@hookimpl
def dflint_checks() -> Mapping[str, str]:
    """Check name -> reference to the check."""
    return {
        check: f"dflint_checks.{module}:{function}"
        for module, checks in _CHECKS.items()
        for check, function in checks.items()
    }
