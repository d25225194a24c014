"""Text to SQL: a request in plain words, the tables it is about, and a query that was parsed and run before it counts.

    data-designer create examples/text_to_sql.py --num-records 50 -d text_to_sql --simulate

Without `--simulate` it asks NVIDIA's endpoint and needs NVIDIA_API_KEY. An unchanged Data Designer script.
"""

import sqlite3

import pandas as pd

import data_designer.config as dd

INDUSTRIES = {
    "Healthcare": ["Patient admissions", "Prescriptions", "Billing codes"],
    "Retail": ["Orders and returns", "Stock levels", "Loyalty programme"],
    "Logistics": ["Delivery routes", "Warehouse picking", "Carrier invoices"],
    "Energy": ["Meter readings", "Outage reports", "Tariffs"],
}
CONCEPTS = {
    "Beginner": ["filtering and sorting", "aggregates with GROUP BY", "a simple INNER JOIN"],
    "Intermediate": ["a LEFT JOIN that keeps rows without a match", "HAVING", "CASE expressions", "subqueries"],
    "Advanced": ["common table expressions", "window functions", "correlated subqueries", "several levels of joins"],
}

SYSTEM = "You are a senior database engineer. You write SQLite SQL that runs as it stands. You explain nothing."

TABLES = """\
Write the schema of a small SQLite database on {{ topic }} in {{ industry }}.

- Two or three CREATE TABLE statements with primary keys, foreign keys and plain column types.
- Then INSERT statements with three to six rows for each table.
- The data must give a request about {{ concept }} something to find."""

REQUEST = """\
You are a business user in {{ industry }} who knows no SQL. These are the tables of your database:

{{ tables }}

Write one request to your analyst, {{ style }}. Its answer should need {{ concept }}. Name no table and no column."""

QUERY = """\
Request: {{ request }}

Tables:

{{ tables }}

Write one SQLite query that answers the request. Use only tables and columns that are there."""

VERDICT = """\
A text-to-SQL pair is to become training data. Judge it strictly.

Request: {{ request }}

Tables: {{ tables }}

Query: {{ query }}"""


def runs(rows: pd.DataFrame) -> pd.DataFrame:
    """Make each row's tables in a database of its own and run its query there."""
    verdicts = []
    for row in rows.itertuples():
        with sqlite3.connect(":memory:") as database:
            try:
                database.executescript(str(row.tables))
                found = database.execute(str(row.query)).fetchmany(1000)
                verdicts.append({"is_valid": True, "rows_found": len(found), "error": None})
            except (sqlite3.Error, sqlite3.Warning) as error:
                verdicts.append({"is_valid": False, "rows_found": 0, "error": str(error)})
    return pd.DataFrame(verdicts)


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias=alias,
                model=model,
                provider="nvidia",
                inference_parameters=dd.ChatCompletionInferenceParams(
                    temperature=temperature, top_p=0.95, max_tokens=2048, max_parallel_requests=8
                ),
            )
            for alias, model, temperature in (
                ("writer", "nvidia/nemotron-3-nano-30b-a3b", 0.9),
                ("engineer", "nvidia/nemotron-3-super-120b-a12b", 0.4),
            )
        ]
    )
    builder.add_column(
        name="industry", column_type="sampler", sampler_type="category", params={"values": [*INDUSTRIES]}
    )
    builder.add_column(
        name="topic",
        column_type="sampler",
        sampler_type="subcategory",
        params={"category": "industry", "values": INDUSTRIES},
    )
    builder.add_column(
        name="complexity",
        column_type="sampler",
        sampler_type="category",
        params={"values": [*CONCEPTS], "weights": [2, 5, 3]},
    )
    builder.add_column(
        name="concept",
        column_type="sampler",
        sampler_type="subcategory",
        params={"category": "complexity", "values": CONCEPTS},
    )
    # Nobody asks for a window function in three words.
    builder.add_column(
        name="style",
        column_type="sampler",
        sampler_type="category",
        params={"values": ["as a terse note", "as a polite question", "as a line in a ticket"]},
        conditional_params={
            "complexity == 'Advanced'": {
                "values": ["as a question with its business background", "as a precise specification"],
                "weights": [2, 1],
            }
        },
    )
    builder.add_column(
        name="tables",
        column_type="llm-code",
        model_alias="engineer",
        code_lang="sql:sqlite",
        system_prompt=SYSTEM,
        prompt=TABLES,
    )
    builder.add_column(name="request", column_type="llm-text", model_alias="writer", prompt=REQUEST)
    builder.add_column(
        name="query",
        column_type="llm-code",
        model_alias="engineer",
        code_lang="sql:sqlite",
        system_prompt=SYSTEM,
        prompt=QUERY,
    )
    builder.add_column(
        name="syntax",
        column_type="validation",
        target_columns=["query"],
        validator_type="code",
        validator_params={"code_lang": "sql:sqlite"},
        batch_size=50,
    )
    # A query may parse and still name a column that is not there.
    builder.add_column(
        name="execution",
        column_type="validation",
        target_columns=["tables", "query"],
        validator_type="local_callable",
        validator_params={"validation_function": runs},
    )
    # An expression that comes to nothing rejects its record, so nothing more is paid for a query that does not run.
    builder.add_column(
        name="gate",
        column_type="expression",
        expr="{% if syntax.is_valid and execution.is_valid %}runs{% endif %}",
        drop=True,
    )
    builder.add_column(
        name="verdict",
        column_type="llm-judge",
        model_alias="engineer",
        prompt=VERDICT,
        skip=dd.SkipConfig(when="{{ gate != 'runs' }}"),
        scores=[
            dd.Score(
                name="relevance",
                description="Does the query answer the request, all of it and nothing else?",
                options={
                    4: "exactly",
                    3: "with a small omission that the requester would notice late",
                    2: "in part: a condition or a grouping is missing or wrong",
                    1: "it answers another request",
                    0: "it answers none",
                },
            ),
            dd.Score(
                name="difficulty",
                description="Does the request need what it was meant to need, by an honest reading?",
                options={2: "yes", 1: "a simpler query would do", 0: "it needs hardly any SQL"},
            ),
        ],
    )
    builder.add_processor(
        dd.SchemaTransformProcessorConfig(
            name="training",
            template={
                "messages": [
                    {"role": "system", "content": "Answer with one SQLite query.\n\n{{ tables }}"},
                    {"role": "user", "content": "{{ request }}"},
                    {"role": "assistant", "content": "{{ query }}"},
                ]
            },
        )
    )
    return builder
