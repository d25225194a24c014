"""From declaration to Plan: pure functions that decide what will be computed, where and in which order."""
