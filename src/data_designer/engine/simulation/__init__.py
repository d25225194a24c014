"""The executor in virtual time: capacity planning, and proving the scheduler right under faults."""
