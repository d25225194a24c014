"""Carries a plan out: the driver, replicas, CPU tasks, and the executor of this process."""
