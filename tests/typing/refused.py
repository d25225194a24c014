"""Calls that a type checker must refuse: each line that says so, and no other. Nothing here is run."""

from pathlib import Path

import data_designer.config as dd
from data_designer.config import LLMTextColumn  # refused
from data_designer.interface import DataDesigner, Designer  # refused

dd.LLMText(name="x")  # refused
dd.LLMTextColumnConfig(name="x", prompt="p")  # refused
dd.LLMTextColumnConfig(name="x", prompt=3, model_alias="m")  # refused
dd.LLMTextColumnConfig(name="x", prompt="p", model_alias="m", sytem_prompt="s")  # refused
dd.LLMTextColumnConfig("x", prompt="p", model_alias="m")  # refused
dd.LLMCodeColumnConfig(name="x", prompt="p", model_alias="m", code_lang="basic")  # refused
dd.LLMJudgeColumnConfig(name="x", prompt="p", model_alias="m", scores=["good"])  # refused
dd.ExpressionColumnConfig(name="x", expr="{{ y }}", dtype="list")  # refused
dd.SamplerColumnConfig(name="x", sampler_type="uniforn", params=dd.UUIDSamplerParams())  # refused
dd.UniformSamplerParams(low="0", high=1)  # refused
dd.CategorySamplerParams(values="abc")  # refused
dd.DatetimeSamplerParams(start="2024-01-01", end="2024-02-01", unit="weeks")  # refused
dd.SkipConfig(when=None)  # refused
dd.CodeValidatorParams(code_lang=dd.CodeLang.BASIC)  # refused
dd.ModelConfig(alias="m", model=None)  # refused
dd.ModelConfig(alias="m", model="n", inference_parameters=dd.Price())  # refused
dd.RunConfig(executor="threads")  # refused
dd.RunConfig(bufer_size=10)  # refused
dd.RunConfig(buffer_size="10")  # refused
dd.DataFrameSeedSource(df=[1, 2])  # refused

builder = dd.DataDesignerConfigBuilder()
builder.add_column("x")  # refused
builder.add_column(dd.RunConfig())  # refused
builder.add_column(name=1, column_type="expression", expr="y")  # refused
builder.add_columns()  # refused
builder.add_constraint(dd.SkipConfig(when="{{ x }}"))  # refused
builder.add_processor(dd.SkipConfig(when="{{ x }}"))  # refused
builder.with_seed_dataset("seeds.csv")  # refused
builder.from_config(3)  # refused

designer = DataDesigner(artefact_path=Path("artifacts"))  # refused
designer.set_run_config({"buffer_size": 10})  # refused
designer.create(builder, 10)  # refused
designer.create(builder, num_records="10")  # refused
designer.create(dd.LLMTextColumnConfig, num_records=10)  # refused
designer.create(builder).load_datasets()  # refused
