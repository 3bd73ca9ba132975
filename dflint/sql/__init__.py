"""From SQL text to operations: the only package that knows the parser and its trees."""
