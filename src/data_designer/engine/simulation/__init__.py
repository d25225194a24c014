"""The executor in virtual time: proves the scheduler right under faults, and answers what-if questions."""
