"""The specification's classes under the specification's module names: facades without logic."""
