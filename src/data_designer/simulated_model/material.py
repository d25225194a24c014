"""What a prompt offers to whoever answers it: topics, sentences to quote, references to look up."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import islice

from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.usual_numbers import drawn
from data_designer.simulated_model.vocabulary import STOCK_WORDS

_LONG_WORD = re.compile(r"\b[a-z]{4,}\b")
# fmt: off
_INSTRUCTIONS = frozenset((
    "about", "above", "advance", "after", "again", "agent", "allowed", "almost", "along", "already", "also", "always",
    "amount", "angry", "another", "answer", "answers", "anybody", "anything", "around", "arrived", "asked", "asks",
    "assistant", "available", "away", "because", "becomes", "been", "before", "begin", "begins", "being", "belief",
    "believe", "below", "between", "both", "brief", "broken", "business", "calculation", "called", "cannot", "careful",
    "case", "change", "checked", "choose", "clear", "clearly", "code", "colleague", "column", "columns", "come",
    "comes", "complete", "concrete", "confirm", "conversation", "costs", "could", "create", "customer", "decide",
    "define", "describe", "details", "different", "docstring", "does", "doing", "dollars", "done", "each", "easy",
    "either", "else", "ends", "enough", "even", "every", "everybody", "everything", "exactly", "example", "explain",
    "facts", "fails", "fence", "find", "finds", "first", "five", "following", "form", "format", "found", "four",
    "friendly", "from", "gave", "generate", "gets", "give", "given", "gives", "goes", "good", "goodbye", "happen",
    "happened", "happens", "harder", "have", "held", "help", "here", "hold", "holds", "however", "idea", "important",
    "input", "inside", "instead", "instruction", "instructions", "into", "invent", "itself", "json", "judge", "judged",
    "just", "keep", "keeping", "kind", "know", "knows", "language", "larger", "last", "lasted", "least", "lecture",
    "left", "length", "less", "lets", "letter", "like", "line", "lines", "list", "literally", "little", "live", "long",
    "longer", "looked", "looks", "lost", "made", "main", "make", "many", "matter", "maximum", "meant", "mention",
    "message", "messages", "method", "might", "minimum", "missing", "model", "more", "most", "much", "must", "name",
    "names", "natural", "necessary", "need", "needed", "needs", "never", "next", "nobody", "none", "nothing", "notice",
    "number", "numbers", "object", "once", "only", "onto", "open", "opened", "options", "ordinary", "other", "others",
    "otherwise", "output", "outside", "over", "page", "paragraph", "part", "people", "perhaps", "person", "place",
    "plain", "please", "point", "points", "polite", "possible", "practice", "precise", "precisely", "probably",
    "product", "prompt", "properties", "prove", "proves", "provide", "quality", "question", "questions", "quite",
    "quote", "rather", "read", "reader", "real", "realistic", "really", "reason", "reasoning", "reasons", "reply",
    "request", "required", "respond", "response", "result", "return", "review", "rewrite", "right", "role", "rule",
    "rules", "said", "same", "says", "schema", "score", "second", "seen", "sense", "sentence", "sentences", "short",
    "should", "show", "simple", "simpler", "since", "single", "sits", "small", "solution", "solve", "solved", "some",
    "somebody", "something", "soon", "speak", "stands", "star", "stars", "start", "started", "state", "statement",
    "statements", "stay", "stays", "step", "steps", "stick", "still", "stop", "strictly", "string", "such", "summary",
    "syntax", "table", "tables", "tagged", "take", "taken", "task", "tell", "tells", "text", "than", "that", "their",
    "them", "then", "there", "these", "they", "thing", "think", "this", "those", "though", "three", "throughout",
    "time", "title", "together", "told", "true", "turn", "twice", "type", "under", "understand", "unless", "until",
    "upon", "used", "useful", "user", "uses", "using", "usual", "value", "values", "very", "want", "wanted", "wants",
    "well", "were", "what", "when", "where", "whether", "which", "while", "whoever", "whole", "whom", "whose", "will",
    "wish", "with", "within", "without", "word", "words", "work", "works", "worth", "would", "write", "writes",
    "writing", "written", "wrong", "wrote", "year", "years", "your", "yourself",
))
# fmt: on
"""Words of prompts that are about the reply instead of its topic."""
_NO_NOUN = ("ed", "ly", "ful", "ous", "less")
"""How words end that are hardly ever things."""
_SEARCHED, _MOST_TOPICS = 2000, 40
"""Characters of a prompt that are searched, and how many topics count."""
_READ = 100_000
"""Characters of a prompt in which a passage is looked for."""
_FORM = ("\n\n* ", "<response_schema>")
"""Where the prompt stops being about its topic and says in which form it wants the answer."""
_SENTENCE = re.compile(r"[^\s<>{}`*#|][^\n<>{}`|]{15,300}?[.!?](?=\s|$)")
_REFERENCE = re.compile(r"\b[A-Z]{1,5}-?\d{3,}\b")


class Material:
    """What a prompt offers, found out when it is first asked for."""

    def __init__(self, text: str, *, for_lookups: bool = False) -> None:
        """Take the text of a prompt.

        Args:
            text: of the prompt.
            for_lookups: whether what is made of it is looked up somewhere, and so had better be the prompt's own.
        """
        self._text = text
        self.for_lookups = for_lookups

    def topic(self, rng: SeededRng) -> str:
        """One of the topics; those that come first are likelier."""
        return self.topics[drawn(rng, len(self.topics), "low")]

    @cached_property
    def topics(self) -> Sequence[str]:
        """Words that a text may be about: long ones in lower case, which no names are, that are no instruction.

        What the model itself says whatever it is asked counts neither, where there is something else: a summary of its
        text is about what that text is about.
        """
        return [f"range of {word}" if _is_plural(word) else word for word in self.words] or ["matter"]

    @cached_property
    def words(self) -> Sequence[str]:
        """The words of the topics; there may be none."""
        words = [word for word in _LONG_WORD.findall(self._about[:_SEARCHED]) if word not in _INSTRUCTIONS]
        nouns = (word for word in words if word not in STOCK_WORDS and not word.endswith(_NO_NOUN))
        return [*islice(nouns, _MOST_TOPICS)] or words[:_MOST_TOPICS]

    @cached_property
    def passages(self) -> Sequence[str]:
        """The sentences of the longest paragraph, as they stand there."""
        longest = max(self._about[:_READ].split("\n\n"), key=len)
        return _SENTENCE.findall(longest)

    @cached_property
    def references(self) -> Sequence[str]:
        """What looks like the number of an order, a part, a ticket."""
        return _REFERENCE.findall(self._about[:_SEARCHED])

    @cached_property
    def _about(self) -> str:
        places = [place for mark in _FORM if (place := self._text.find(mark)) >= 0]
        return "" if self._text.startswith("* ") else self._text[: min(places, default=None)]


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "as"))
