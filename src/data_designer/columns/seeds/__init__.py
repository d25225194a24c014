"""The seed dataset: read, chosen from, and given to records."""
