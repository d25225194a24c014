"""Public calls that a type checker must accept, as users write them. Nothing here is run."""

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

import data_designer.config as dd
from data_designer.config import LLMTextColumnConfig, RunConfig
from data_designer.interface import DataDesigner, DatasetCreationResults


class Story(BaseModel):
    """A form for structured columns, and parameters for custom ones."""

    title: str
    words: int = 100


@dd.custom_column_generator(required_columns=["text"], side_effect_columns=["length"], model_aliases=["m"])
def measured(row: dict[str, Any], generator_params: Story) -> dict[str, Any]:
    """A cell of a custom column."""
    return {**row, "measured": len(row["text"]) > generator_params.words, "length": len(row["text"])}


@dd.custom_column_generator()
async def ranked(df: pd.DataFrame) -> pd.DataFrame:
    """A whole custom column."""
    return df


def judged(df: pd.DataFrame) -> pd.DataFrame:
    """A validator."""
    return df.assign(is_valid=True)


def models() -> list[dd.ModelConfig]:
    """Models of every kind."""
    temperature = dd.UniformDistribution(params=dd.UniformDistributionParams(low=0.2, high=0.9))
    top_p = dd.ManualDistribution(params=dd.ManualDistributionParams(values=[0.8, 0.9], weights=[1, 2]))
    chat = dd.ChatCompletionInferenceParams(
        temperature=temperature, top_p=top_p, max_tokens=512, timeout=60, extra_body={"seed": 1}
    )
    vectors = dd.EmbeddingInferenceParams(dimensions=256, max_parallel_requests=8)
    return [
        dd.ModelConfig(alias="m", model="any/chat", provider="here", inference_parameters=chat),
        dd.ModelConfig(alias="e", model="any/vectors", inference_parameters=vectors, skip_health_check=True),
        dd.ModelConfig(alias="i", model="any/images", inference_parameters=dd.ImageInferenceParams()),
        dd.ModelConfig(alias="p", model="any/chat", price=dd.Price(input=1, output=2.5)),
    ]


def samplers() -> list[dd.SamplerColumnConfig]:
    """Samplers of every kind."""
    kind = dd.SamplerType
    return [
        dd.SamplerColumnConfig(
            name="x",
            sampler_type=kind.UNIFORM,
            params=dd.UniformSamplerParams(low=0, high=1),
            conditional_params={"topic == 'a'": dd.UniformSamplerParams(low=0, high=2)},
            convert_to="int",
            drop=True,
        ),
        dd.SamplerColumnConfig(name="c", sampler_type=kind.BERNOULLI, params=dd.BernoulliSamplerParams(p=0.5)),
        dd.SamplerColumnConfig(
            name="c",
            sampler_type=kind.BERNOULLI_MIXTURE,
            params=dd.BernoulliMixtureSamplerParams(p=0.5, dist_name="norm", dist_params={"loc": 1}),
        ),
        dd.SamplerColumnConfig(name="c", sampler_type=kind.BINOMIAL, params=dd.BinomialSamplerParams(n=3, p=0.5)),
        dd.SamplerColumnConfig(
            name="c",
            sampler_type=kind.CATEGORY,
            params=dd.CategorySamplerParams(values=["a", 1, True], weights=[1, 2, 3]),
        ),
        dd.SamplerColumnConfig(
            name="c",
            sampler_type=kind.DATETIME,
            params=dd.DatetimeSamplerParams(start="2024-01-01", end="2024-02-01", unit="h"),
        ),
        dd.SamplerColumnConfig(
            name="c", sampler_type=kind.GAUSSIAN, params=dd.GaussianSamplerParams(mean=0, stddev=1, decimal_places=2)
        ),
        dd.SamplerColumnConfig(
            name="c",
            sampler_type=kind.PERSON,
            params=dd.PersonSamplerParams(locale="en_US", sex="Female", age_range=[20, 30]),
        ),
        dd.SamplerColumnConfig(
            name="c", sampler_type=kind.PERSON_FROM_FAKER, params=dd.PersonFromFakerSamplerParams(city=["Oslo", "Rome"])
        ),
        dd.SamplerColumnConfig(name="c", sampler_type=kind.POISSON, params=dd.PoissonSamplerParams(mean=3)),
        dd.SamplerColumnConfig(
            name="c",
            sampler_type=kind.SCIPY,
            params=dd.ScipySamplerParams(dist_name="beta", dist_params={"a": 1, "b": 2}),
        ),
        dd.SamplerColumnConfig(
            name="c",
            sampler_type=kind.SUBCATEGORY,
            params=dd.SubcategorySamplerParams(category="topic", values={"a": ["b", "c"]}),
        ),
        dd.SamplerColumnConfig(
            name="c",
            sampler_type=kind.TIMEDELTA,
            params=dd.TimeDeltaSamplerParams(dt_min=1, dt_max=3, reference_column_name="day", unit="D"),
        ),
        dd.SamplerColumnConfig(name="c", sampler_type=kind.UNIFORM, params=dd.UniformSamplerParams(low=0, high=1)),
        dd.SamplerColumnConfig(
            name="c", sampler_type=kind.UUID, params=dd.UUIDSamplerParams(prefix="id-", short_form=True)
        ),
    ]


def objects() -> dd.DataDesignerConfigBuilder:
    """A builder that is given objects."""
    skip = dd.SkipConfig(when="{{ x > 1 }}", value="none")
    score = dd.Score(name="quality", description="how good", options={1: "bad", "2": "good"})
    image = dd.ImageContext(column_name="url", data_type=dd.ModalityDataType.URL)
    code = dd.CodeValidatorParams(code_lang=dd.CodeLang.SQL_SQLITE)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=models(), tool_configs=[dd.ToolConfig(tool_alias="t", providers=[])]
    )
    for column in samplers():
        builder.add_column(column)
    return (
        builder.add_column(LLMTextColumnConfig(name="text", prompt="{{ x }}", model_alias="m", skip=skip))
        .add_column(dd.LLMTextColumnConfig(name="seen", prompt="p", model_alias="m", multi_modal_context=[image]))
        .add_column(dd.LLMCodeColumnConfig(name="sql", prompt="p", model_alias="m", code_lang=dd.CodeLang.SQL_ANSI))
        .add_column(
            dd.LLMStructuredColumnConfig(
                name="story", prompt="p", model_alias="m", output_format=Story.model_json_schema()
            )
        )
        .add_column(dd.LLMJudgeColumnConfig(name="judge", prompt="p", model_alias="m", scores=[score]))
        .add_column(dd.ExpressionColumnConfig(name="twice", expr="{{ 2 * x }}", dtype="float"))
        .add_column(
            dd.ValidationColumnConfig(
                name="valid",
                target_columns=["sql"],
                validator_type=dd.ValidatorType.CODE,
                validator_params=code,
                batch_size=5,
            )
        )
        .add_column(dd.EmbeddingColumnConfig(name="vector", target_column="text", model_alias="e"))
        .add_column(dd.ImageColumnConfig(name="picture", prompt="{{ text }}", model_alias="i"))
        .add_column(
            dd.CustomColumnConfig(name="measured", generator_function=measured, generator_params=Story(title="t"))
        )
        .add_column(
            dd.CustomColumnConfig(
                name="ranked", generator_function=ranked, generation_strategy=dd.GenerationStrategy.FULL_COLUMN
            )
        )
        .add_constraint(dd.ScalarInequalityConstraint(target_column="x", rhs=1, operator=dd.InequalityOperator.LT))
        .add_processor(dd.DropColumnsProcessorConfig(name="drop", column_names=["x*"]))
        .add_processor(dd.SchemaTransformProcessorConfig(name="chat", template={"messages": ["{{ text }}"]}))
        .add_profiler(dd.JudgeScoreProfilerConfig(model_alias="m"))
        .with_seed_dataset(
            dd.LocalFileSeedSource(path="seeds.csv", read_options=dd.ReadOptions(dtype={"id": "int"}, delimiter=";")),
            sampling_strategy=dd.SamplingStrategy.SHUFFLE,
            selection_strategy=dd.PartitionBlock(index=1, num_partitions=4),
        )
    )


def keywords() -> dd.DataDesignerConfigBuilder:
    """A builder that is given names, types and fields."""
    builder = dd.DataDesignerConfigBuilder("models.yaml")
    builder.add_column(name="x", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    builder.add_column(name="t", column_type=dd.DataDesignerColumnType.LLM_TEXT, prompt="{{ x }}", model_alias="m")
    builder.add_column(name="s", column_type="llm-structured", prompt="p", model_alias="m", output_format=Story)
    builder.add_column(
        name="v",
        column_type="validation",
        target_columns=["t"],
        validator_type="local_callable",
        validator_params=dd.LocalCallableValidatorParams(validation_function=judged),
    )
    builder.add_constraint(constraint_type="column_inequality", target_column="x", rhs="y", operator="lt")
    builder.add_processor(processor_type=dd.ProcessorType.DROP_COLUMNS, name="drop", column_names=["x"])
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"id": [1]})))
    builder.with_seed_dataset(
        dd.HuggingFaceSeedSource(path="datasets/a/b/*.parquet", endpoint="https://huggingface.co")
    )
    builder.with_seed_dataset(dd.DirectorySeedSource(path="notes", file_pattern="*.md"))
    builder.with_seed_dataset(dd.AgentRolloutSeedSource(format=dd.AgentRolloutFormat.CODEX))
    columns: list[str] = [column.name for column in builder.get_column_configs()]
    assert columns
    builder.write_config(Path("config.yaml"))
    return dd.DataDesignerConfigBuilder.from_config({"columns": [{"name": "x", "column_type": "expression"}]})


def settings() -> RunConfig:
    """Run settings."""
    tuned = dd.RequestAdmissionTuningConfig(cooldown_seconds=1)
    return RunConfig(
        buffer_size=100,
        executor="inline",
        seed=1,
        on_row_failure="null",
        keep_conversations="all",
        jinja_rendering_engine=dd.JinjaRenderingEngine.SECURE,
        request_admission=tuned,
        budget=dd.Budget(usd=1.5, tokens=1000),
        replica_resources={"m": {"num_cpus": 0.5}},
    )


def made() -> pd.DataFrame:
    """Everything that is done with a declaration."""
    provider = dd.ModelProvider(name="here", endpoint="http://127.0.0.1:1/v1", api_key="KEY")
    designer = DataDesigner(artifact_path=Path("artifacts"), model_providers=[provider], simulate=True)
    designer.set_run_config(settings())
    designer.validate(objects())
    designer.check_models(objects(), max_attempts=2)
    print(designer.dry_run(objects(), num_records=2).records[0].cells[0].messages)
    preview = designer.preview(objects(), num_records=2, show_prompts=True)
    preview.display_sample_record(show_prompts=False)
    print(preview.conversation(0, "x"))
    if preview.dataset is not None and preview.analysis is not None:
        preview.analysis.to_report()
    results: DatasetCreationResults = designer.create(
        keywords(), num_records=10, dataset_name="d", resume=dd.ResumeMode.IF_POSSIBLE, on_batch_complete=print
    )
    results = designer.retry_failed(keywords(), dataset_name="d", models={"m": "other"})
    results.load_analysis().to_report(Path("report.html"), include_sections=["overview"])
    results.export("all.jsonl", format="jsonl")
    count: int = results.count_records()
    rejected: pd.DataFrame = results.load_rejected()
    said: pd.DataFrame = results.load_conversations()
    print(said, results.conversation(0, "x").turns[0].reply)
    again: dd.DataDesignerConfigBuilder = results.to_config_builder(columns=["x"])
    again.add_column(name=f"of_{count}_{len(rejected)}", column_type="expression", expr="{{ x }}")
    return results.load_dataset()
