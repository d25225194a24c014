"""Text to Python: an instruction, code that a linter has checked, and a judge's scores by a rubric, summed up.

    data-designer create examples/text_to_python.py --num-records 50 -d text_to_python --simulate

Without `--simulate` it asks NVIDIA's endpoint and needs NVIDIA_API_KEY. An unchanged Data Designer script.
"""

import data_designer.config as dd

DOMAINS = {
    "Data wrangling": ["CSV files with faulty rows", "time series with gaps", "nested JSON from an API"],
    "Operations": ["log files", "retries with back-off", "disk usage reports"],
    "Finance": ["interest schedules", "currency rounding", "ledger reconciliation"],
    "Text": ["templates", "tokenizing", "fuzzy matching of names"],
}
CONSTRUCTS = {
    "Beginner": ["a pure function", "loops and conditions", "dictionaries"],
    "Intermediate": ["a dataclass", "generators", "context managers", "custom exceptions"],
    "Advanced": ["a decorator with arguments", "protocols and generics", "asyncio with a limit"],
}

INSTRUCTION = """\
Write an instruction for a Python developer of the level {{ level }}.

- It is about {{ topic }} ({{ domain }}) and its natural solution uses {{ construct }}.
- {{ detail }}
- It asks for code that needs the standard library only and can be checked by reading it.
- Two to four sentences. No code, no list of steps."""

CODE = """\
{{ instruction }}

Write the code: typed, with a docstring, no input from the keyboard, no call at import."""

VERDICT = """\
Review this answer as you would review a colleague's change.

Instruction: {{ instruction }}

Code:
{{ code }}

The linter gave it {{ lint.python_linter_score }} of 10."""


def rubric(name: str, description: str, best: str, good: str, weak: str, bad: str) -> dd.Score:
    """A score with what earns each number of points."""
    return dd.Score(name=name, description=description, options={3: best, 2: good, 1: weak, 0: bad})


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias="author",
                model="nvidia/nemotron-3-nano-30b-a3b",
                provider="nvidia",
                # Each request draws its own temperature, so that instructions are more varied than at any one.
                inference_parameters=dd.ChatCompletionInferenceParams(
                    temperature=dd.UniformDistribution(params={"low": 0.7, "high": 1.1}), max_parallel_requests=8
                ),
            ),
            dd.ModelConfig(
                alias="coder",
                model="nvidia/nemotron-3-super-120b-a12b",
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(
                    temperature=0.3, max_tokens=2048, max_parallel_requests=8
                ),
            ),
        ]
    )
    builder.add_column(
        name="domain",
        column_type="sampler",
        sampler_type="category",
        params={"values": [*DOMAINS], "weights": [4, 3, 2, 3]},
    )
    builder.add_column(
        name="topic",
        column_type="sampler",
        sampler_type="subcategory",
        params={"category": "domain", "values": DOMAINS},
    )
    builder.add_column(
        name="level",
        column_type="sampler",
        sampler_type="category",
        params={"values": [*CONSTRUCTS], "weights": [3, 5, 2]},
    )
    builder.add_column(
        name="construct",
        column_type="sampler",
        sampler_type="subcategory",
        params={"category": "level", "values": CONSTRUCTS},
    )
    builder.add_column(
        name="detail",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["It names the input and the output with their types.", "It gives one example of a call."]},
        conditional_params={
            "level == 'Advanced'": {"values": ["It says what must happen when something fails, and how often."]}
        },
    )
    builder.add_column(name="instruction", column_type="llm-text", model_alias="author", prompt=INSTRUCTION)
    builder.add_column(
        name="code", column_type="llm-code", model_alias="coder", code_lang=dd.CodeLang.PYTHON, prompt=CODE
    )
    builder.add_column(
        name="lint",
        column_type="validation",
        target_columns=["code"],
        validator_type="code",
        validator_params=dd.CodeValidatorParams(code_lang=dd.CodeLang.PYTHON),
        batch_size=50,
    )
    # Code that would not even be imported is kept, as a negative example, but not judged.
    builder.add_column(
        name="review",
        column_type="llm-judge",
        model_alias="coder",
        prompt=VERDICT,
        skip=dd.SkipConfig(when="{{ not lint.is_valid }}"),
        scores=[
            rubric(
                "relevance",
                "Does the code do what the instruction asks?",
                "all of it, and nothing that was not asked for",
                "nearly all of it; what is missing is small",
                "the main case only",
                "something else",
            ),
            rubric(
                "correctness",
                "Is it right, for odd input too?",
                "right, and faults end in a clear error",
                "right for all input that the instruction names",
                "right for the easy case",
                "wrong",
            ),
            rubric(
                "readability",
                "Could a colleague change it next year?",
                "names, types and docstring say all one needs",
                "readable with a second look",
                "hard to follow in places",
                "hard to follow",
            ),
        ],
    )
    builder.add_column(
        name="points",
        column_type="expression",
        dtype="int",
        expr="{{ review.relevance.score + review.correctness.score + review.readability.score }}",
    )
    return builder
