"""Synthetic datasets from declared columns and LLM endpoints, generated in parallel on Ray."""
