"""One story per file: read, ask the core once, write."""
