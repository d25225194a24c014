"""The dataset directory: what is written, when it counts, and what is there already."""
