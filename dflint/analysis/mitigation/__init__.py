"""Mitigation: which measures there are against the harm that an assessment found."""
