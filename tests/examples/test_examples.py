"""Every example runs, with the simulated model in place of its models, and makes what it says that it makes."""

import json
import os
import re
import runpy
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.cli.commands import run

import data_designer.config as dd
from data_designer.interface import DataDesigner

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
PROVIDERS = ("nvidia", "openai", "openrouter", "simulated")

Made = tuple[pd.DataFrame, Path]
"""The records of a dataset, and where it is."""
Make = Callable[[str, int], Made]


def declared(name: str) -> tuple[dd.DataDesignerConfigBuilder, Any]:
    """What an example declares, and the servers of tools that it brings."""
    example = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="example")
    load = example["load_config_builder"]
    builder = load(dd.DataDesignerScriptParams()) if load.__code__.co_argcount else load()
    return builder, example.get("MCP_PROVIDERS")


@pytest.fixture
def make(tmp_path: Path, simulated: str) -> Make:
    """Makes a dataset of an example, whose providers all lead to the simulated model."""
    providers = [dd.ModelProvider(name=name, endpoint=simulated, provider_type="simulated") for name in PROVIDERS]

    def dataset(name: str, records: int) -> Made:
        builder, servers = declared(name)
        designer = DataDesigner(tmp_path, model_providers=providers, mcp_providers=servers)
        designer.set_run_config(dd.RunConfig(executor="inline", seed=5, otel_metrics_port=None))
        results = designer.create(builder, num_records=records, dataset_name=name)
        return results.load_dataset(), tmp_path / name

    return dataset


def processed(folder: Path, processor: str) -> list[dict[str, Any]]:
    """The rows that a processor wrote."""
    return json.loads(pd.read_parquet(folder / "processors-files" / processor).to_json(orient="records"))  # type: ignore[no-any-return]


def verdicts(frame: pd.DataFrame, column: str) -> float:
    """The share of records that a validator accepts."""
    return float(frame[column].map(lambda verdict: verdict["is_valid"]).mean())


@pytest.mark.usefixtures("processes")
def test_product_reviews(make: Make) -> None:
    """Summaries and labels are of the form that was asked for, and prices those of the thing."""
    frame, _ = make("product_reviews", 20)
    assert frame["summary"].map(lambda summary: 1 <= summary["stars"] <= 5).all()
    assert frame["label"].str.fullmatch(r".+ \([1-5]/5\)").all()
    assert frame.loc[frame["category"] != "backpacks", "price"].max() <= 80
    assert {*frame["quality"].map(lambda quality: quality["fits"]["score"])} == {"yes", "no"}


@pytest.mark.usefixtures("processes")
def test_text_to_sql(make: Make) -> None:
    """Every query that is left runs on the tables of its record, few are refused, and a pair is ready for training."""
    frame, folder = make("text_to_sql", 30)
    assert 20 <= len(frame) <= 30
    assert "gate" not in frame
    for row in frame.itertuples():
        with sqlite3.connect(":memory:") as database:
            database.executescript(str(row.tables))
            database.execute(str(row.query))
    assert frame["query"].nunique() > len(frame) // 2
    assert {*frame["verdict"].map(lambda verdict: verdict["relevance"]["score"])} <= {0, 1, 2, 3, 4}
    pairs = processed(folder, "training")
    assert [[message["role"] for message in pair["messages"]] for pair in pairs] == [
        ["system", "user", "assistant"]
    ] * len(frame)
    assert pairs[0]["messages"][2]["content"] == frame["query"][0]


@pytest.mark.usefixtures("processes")
def test_a_query_that_does_not_run_is_rejected() -> None:
    """The example's validator makes the tables and asks them: what is not there is found, with SQLite's words."""
    runs = runpy.run_path(str(EXAMPLES / "text_to_sql.py"))["runs"]
    tables = "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2);"
    found = runs(pd.DataFrame({"tables": tables, "query": ["SELECT a FROM t", "SELECT b FROM t", "SELEC"]}))
    assert found["is_valid"].tolist() == [True, False, False]
    assert found["rows_found"].tolist() == [2, 0, 0]
    assert "no such column: b" in found["error"][1]


@pytest.mark.usefixtures("processes")
def test_text_to_python(make: Make) -> None:
    """All code parses, most passes the linter, and what does not is not judged."""
    frame, _ = make("text_to_python", 40)
    for code in frame["code"]:
        compile(code, "reply", "exec")
    assert 0.7 < verdicts(frame, "lint") < 1
    is_valid = frame["lint"].map(lambda lint: lint["is_valid"])
    assert frame["review"].notna().tolist() == is_valid.tolist()
    points = frame.loc[is_valid, "points"]
    assert points.between(0, 9).all()
    assert points.nunique() > 3


@pytest.mark.usefixtures("processes")
def test_document_qa(make: Make) -> None:
    """Each page is read once before any is read twice; quotes stand on their page; only what is grounded is kept."""
    frame, folder = make("document_qa", 35)
    assert not frame.duplicated(["document", "page"]).any()
    assert verdicts(frame, "quoted") > 0.9
    assert frame["asked"].map(lambda asked: asked["question"].endswith("?")).all()
    assert 0 < frame["is_kept"].sum() < len(frame)
    supported = frame["grounding"].map(lambda grounding: grounding["support"]["score"])
    assert set(supported[frame["is_kept"]]) == {"full"}
    assert {*processed(folder, "reading_test")[0]} == {"context", "question", "answers", "source", "is_kept"}


def test_a_quote_that_is_not_on_the_page_is_found() -> None:
    """Spaces and line breaks do not count; words do."""
    quotes = runpy.run_path(str(EXAMPLES / "document_qa.py"))["quotes"]
    asked = [{"quote": "The lock counts\nits runs."}, {"quote": "The lock counts its users."}, None]
    found = quotes(pd.DataFrame({"asked": asked, "text": "It begins. The lock  counts its runs. It ends."}))
    assert found["is_valid"].tolist() == [True, False, False]


@pytest.mark.usefixtures("processes")
def test_evolved_instructions(make: Make) -> None:
    """What evolved is a question, another than the one before; the second round is there where it was wanted."""
    frame, _ = make("evolved_instructions", 24)
    assert not frame["question"].duplicated().any()
    assert not {"once", "twice"} & {*frame}
    assert verdicts(frame, "elimination") > 0.9
    assert (frame["evolved"] != frame["question"]).all()
    assert frame["evolved"].str.endswith("?").all()
    assert frame["solution"].map(lambda solution: len(solution["steps"]) > 0).all()
    assert 0 < frame["is_kept"].sum() < len(frame)
    assert {*frame["rounds"]} == {1, 2}


def test_a_copy_is_not_evolved() -> None:
    """Nor is a statement, or what has grown beyond measure."""
    is_evolved = runpy.run_path(str(EXAMPLES / "evolved_instructions.py"))["is_evolved"]
    before = "How many apples are left of twelve?"
    after = [
        before,
        "Some apples are left.",
        f"{'Apples, ' * 200}how many?",
        "How many of twelve pears does Ann eat in 3 days?",
    ]
    found = is_evolved(pd.DataFrame({"question": before, "evolved": after}))
    assert found["is_valid"].tolist() == [False, False, False, True]


@pytest.mark.usefixtures("processes")
def test_tutoring_dialogues(make: Make) -> None:
    """Two rounds or three; those who are sure of being right take three; turns differ."""
    frame, folder = make("tutoring_dialogues", 24)
    turns = frame["transcript"].str.count("(?:Pupil|Tutor): ")
    assert turns.tolist() == (2 * frame["rounds"]).tolist()
    assert {*frame["rounds"]} == {2, 3}
    assert {*frame.loc[frame["temper"] == "sure of being right", "rounds"]} == {3}
    assert frame["transcript"].map(lambda text: len({*text.split("\n\n")})).tolist() == turns.tolist()
    assert not {"pupil_1", "tutor_3"} & {*frame}
    roles = [message["role"] for message in processed(folder, "chat")[0]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]


@pytest.mark.usefixtures("processes")
def test_support_dialogues(make: Make) -> None:
    """Messages alternate, customers end some dialogues early, nobody repeats themselves, moods follow the days."""
    frame, _ = make("support_dialogues", 24)
    for dialogue in frame["dialogue"]:
        names = [message["name"] for message in dialogue]
        assert names[0] == "system"
        assert names[1:] == [("customer", "agent")[place % 2] for place in range(len(names) - 1)]
        said = [message["content"] for message in dialogue]
        assert len({*said}) == len(said)
        assert not any("[END]" in text for text in said)
    assert len({*frame["dialogue"].map(len)}) > 1
    assert {*frame.loc[frame["days"] > 5, "mood"]} <= {"annoyed", "resigned", "angry"}


@pytest.mark.usefixtures("processes")
def test_preference_pairs(make: Make) -> None:
    """The two answers of a pair differ, each model wins some, and the coin decided which answer came first."""
    frame, folder = make("preference_pairs", 30)
    assert (frame["chosen"] != frame["rejected"]).all()
    assert {*frame["winner"]} == {"small", "large"}
    is_large = frame["winner"] == "large"
    assert (frame["chosen"] == frame["answer_of_large"]).tolist() == is_large.tolist()
    chosen_a = frame["verdict"].map(lambda verdict: verdict["better"]["score"] == "A")
    assert ((frame["large_is_a"] == 1) == chosen_a).tolist() == is_large.tolist()
    pairs = processed(folder, "dpo")
    assert pairs[0]["chosen"][0] == {"role": "assistant", "content": frame["chosen"][0]}
    assert pairs[0]["prompt"][0] == {"role": "user", "content": frame["message"][0]}


@pytest.mark.usefixtures("processes")
def test_captions(make: Make) -> None:
    """Captions of one picture differ; those that name numbers which the chart lacks are not judged."""
    frame, _ = make("captions", 24)
    assert frame["picture"].nunique() == 6
    assert frame["caption"].nunique() > 12
    assert 0.2 < verdicts(frame, "numbers") < 1
    is_valid = frame["numbers"].map(lambda numbers: numbers["is_valid"])
    assert frame["verdict"].notna().tolist() == is_valid.tolist()
    assert {*frame.loc[frame["form"] == "as a headline", "audience"]} == {"readers of a newspaper"}


@pytest.mark.usefixtures("processes")
def test_illustrations(make: Make) -> None:
    """A photograph and another drawing for each record, as PNG files of the dataset."""
    frame, folder = make("illustrations", 6)
    for photo, drawing in zip(frame["photo"], frame["drawing"], strict=True):
        pictures = [(folder / path).read_bytes() for path in (photo[0], drawing[0])]
        assert all(picture.startswith(b"\x89PNG") for picture in pictures)
        assert pictures[0] != pictures[1]
    assert frame["caption"].notna().all()
    assert set(frame["verdict"].iloc[0]) == {"subject", "likeness"}


@pytest.mark.usefixtures("processes")
def test_shop_answers(make: Make) -> None:
    """Each answer is preceded by two calls about the order that was asked about, which the tools found."""
    frame, _ = make("shop_answers", 6)
    for order, trace in zip(frame["order"], frame["answer__trace"], strict=True):
        roles = [message["role"] for message in trace]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "tool", "assistant"]
        calls = [call["function"] for message in trace for call in message.get("tool_calls") or ()]
        assert [call["name"] for call in calls] == ["find_order", "refund"]
        assert all(json.loads(call["arguments"])["order_id"] == order for call in calls)
        told = [message["content"][0]["text"] for message in trace if message["role"] == "tool"]
        assert order in told[0]
        assert "there is no order" not in told[0]


@pytest.mark.usefixtures("processes")
def test_math_tutor(make: Make) -> None:
    """A solution for each question of its file, held against the expected answer."""
    frame, _ = make("math_tutor", 8)
    assert frame["question"].nunique() == 4
    assert {*frame["expected"].astype(str)} == {"36", "360", "40", "30"}
    assert frame["is_right"].isin([True, False]).all()


@pytest.mark.usefixtures("processes")
def test_similar_questions(make: Make) -> None:
    """A vector for each question and for each of its wordings, all of one length."""
    frame, _ = make("similar_questions", 6)
    for row in frame.itertuples():
        assert len(row.question_vector["embeddings"]) == 1  # type: ignore[index,call-overload]
        vectors = row.wording_vectors["embeddings"]  # type: ignore[index,call-overload]
        assert len(vectors) == len(row.others["questions"])  # type: ignore[index,call-overload]
        assert {len(vector) for vector in vectors} == {64}


@pytest.mark.usefixtures("processes")
def test_validated_orders(make: Make) -> None:
    """The service's verdicts and scores are there, and it refuses some."""
    frame, _ = make("validated_orders", 40)
    assert 0.6 < verdicts(frame, "verdict") < 1
    assert frame["score"].between(0, 100).all()


@pytest.mark.usefixtures("processes")
def test_writer_and_critic(make: Make) -> None:
    """Pitches went through one round at least, have a title, and vectors that differ."""
    frame, _ = make("writer_and_critic", 6)
    assert frame["review_rounds"].between(1, 2).all()
    assert frame["title"].str.endswith("messages)").all()
    assert frame["distance"].gt(0).all()


# --- what is said of them ------------------------------------------------------------------------------------


def test_every_example_is_tested_and_described() -> None:
    """By a test of its name here, and by a line of the table with the command that its first lines give."""
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    said = (EXAMPLES / "README.md").read_text()
    for name in NAMES:
        assert name in tested
        command = re.findall(
            r"^    ((?:data-designer|python) .*)$", (EXAMPLES / f"{name}.py").read_text(), re.MULTILINE
        )
        assert command, name
        assert f"examples/{name}.py" in command[0]
        assert command[0] in said, name


@pytest.mark.usefixtures("processes")
def test_the_command_that_an_example_gives_runs(tmp_path: Path) -> None:
    """With fewer records: `--simulate` needs no key, and the dataset is whole."""
    options = ("--num-records", 3, "--simulate", "-o", tmp_path, "-d", "x", "--set", "executor=inline")
    code, said = run("create", EXAMPLES / "preference_pairs.py", *options, "--set", "otel_metrics_port=null")
    assert code == 0, said
    assert "3 of 3 records" in said
    assert run("check", tmp_path / "x")[0] == 0
    assert "NVIDIA_API_KEY" not in os.environ
