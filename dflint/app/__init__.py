"""Use cases: from a request to a report."""
