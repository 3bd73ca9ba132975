"""The dependency graph, and what a change does to everything else (pure)."""
