"""What to do with a dataset that is there already: a word that the command line knows without the declaration API."""

from enum import StrEnum


class ResumeMode(StrEnum):
    """What to do with a dataset that is there already."""

    NEVER = "never"
    ALWAYS = "always"
    IF_POSSIBLE = "if_possible"
