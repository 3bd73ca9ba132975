"""dflint's own Python detectors, offered through the same door as a stranger's. Importing this loads none of them.

One table for each subject of rules: check name -> function in the module of that name.
"""

from __future__ import annotations

from collections.abc import Mapping

from dflint.plugin import hookimpl

_CHECKS: Mapping[str, Mapping[str, str]] = {
    "refusals": {
        "refused-by-server": "refused_by_server",
    },
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
    "constraints": {
        "validated-with-addition": "validated_with_addition",
        "never-validated": "never_validated",
        "index-renamed": "index_renamed",
        "domain-scanned": "domain_scanned",
        "several-foreign-keys": "several_foreign_keys",
        "foreign-key-to-table-in-use": "foreign_key_to_table_in_use",
    },
    "tables": {
        "table-dropped": "table_dropped",
        "object-dropped": "object_dropped",
        "trigger-dropped": "trigger_dropped",
        "trigger-created": "trigger_created",
        "rule-created": "rule_created",
        "schema-dropped": "schema_dropped",
        "extension-dropped": "extension_dropped",
        "cascade-drops": "cascade_drops",
        "truncate-cascades": "truncate_cascades",
        "relation-renamed": "relation_renamed",
        "object-renamed": "object_renamed",
        "storage-moved": "storage_moved",
        "partition-detached": "partition_detached",
        "default-partition-scanned": "default_partition_scanned",
        "view-refreshed": "view_refreshed",
    },
    "data": {
        "unbounded": "unbounded",
        "rows-changed-under-lock": "rows_changed_under_lock",
        "lock-after-rows-changed": "lock_after_rows_changed",
    },
    "transactions": {
        "missing-lock-timeout": "missing_lock_timeout",
        "lock-timeout-off": "lock_timeout_off",
        "lock-timeout-late": "lock_timeout_late",
        "missing-statement-timeout": "missing_statement_timeout",
        "set-local-without-effect": "set_local_without_effect",
        "work-under-lock": "work_under_lock",
        "second-exclusive-lock": "second_exclusive_lock",
        "another-pass": "another_pass",
        "control-in-runners-transaction": "control_in_runners_transaction",
        "needs-transaction": "needs_transaction",
        "partly-applied": "partly_applied",
        "left-changed": "left_changed",
        "left-open": "left_open",
        "marker-overruled": "marker_overruled",
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
