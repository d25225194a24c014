"""What to do with a dataset that is there already: a word that the command line knows without the declaration API."""

from enum import StrEnum


class ResumeMode(StrEnum):
    """What to do with a dataset of that name that is there already."""

    NEVER = "never"
    """Leave it alone, and make another beside it, with a time stamp in its name."""
    ALWAYS = "always"
    """Go on with it; an error where there is none, or it was made with another configuration."""
    IF_POSSIBLE = "if_possible"
    """Go on with it where it was made with the same configuration, else make another beside it."""
