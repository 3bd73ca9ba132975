"""Plans as pages."""
