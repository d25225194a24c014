"""Sampler columns: parameters checked, values drawn."""
