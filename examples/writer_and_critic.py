"""A writer and a critic: a function has one model write, another judge, and the first write again until it is good.

    data-designer create examples/writer_and_critic.py --num-records 20 -d writer_and_critic

It needs no key and no network: its models are simulated. `simulated` is ours; the rest is an unchanged Data Designer
script.
"""

from typing import Any

import pandas as pd
from pydantic import BaseModel

import data_designer.config as dd
from data_designer.engine.models.facade import ModelFacade
from data_designer.engine.models.parsers.errors import ParserException


class Taste(BaseModel):
    """How hard the critic is to please."""

    rounds: int = 2
    longest: int = 60
    """Words."""


def sentences(text: str) -> str:
    """A parser: the model is told what it raises, and answers again."""
    if not text.endswith("."):
        raise ParserException("End your answer with a full stop.")
    return text


@dd.custom_column_generator(
    required_columns=["product"], side_effect_columns=["review_rounds"], model_aliases=["writer", "critic"]
)
def pitch(row: dict[str, Any], generator_params: Taste, models: dict[str, ModelFacade]) -> dict[str, Any]:
    """Write, have it judged, and write again, at most so often."""
    text, _ = models["writer"].generate(f"Praise this: {row['product']}", parser=sentences, max_correction_steps=2)
    rounds = 0
    while rounds < generator_params.rounds:
        rounds += 1
        verdict, _ = models["critic"].generate(f"What is wrong with this? {text}", temperature=0.0)
        if len(verdict.split()) < generator_params.longest // 3:
            break
        text, _ = models["writer"].generate(f"Write this again: {text}\nThe critic says: {verdict}", max_tokens=200)
    return {**row, "pitch": text, "review_rounds": rounds}


@dd.custom_column_generator(required_columns=["pitch"], model_aliases=["writer"])
async def title(row: dict[str, Any], generator_params: Taste, models: dict[str, ModelFacade]) -> dict[str, Any]:
    """A function that is `async def` awaits."""
    prompt = f"A title of at most {generator_params.longest // 6} words for this: {row['pitch']}"
    text, trace = await models["writer"].agenerate(prompt, system_prompt="Be brief.")
    return {**row, "title": f"{text.split('.')[0]} ({len(trace)} messages)"}


@dd.custom_column_generator(required_columns=["pitch"], model_aliases=["vectors"])
def odd_one_out(df: pd.DataFrame, generator_params: None, models: dict[str, ModelFacade]) -> pd.DataFrame:  # noqa: ARG001
    """How far each pitch is from the others of its batch: one request for all of them."""
    vectors = pd.DataFrame(models["vectors"].generate_text_embeddings(df["pitch"].tolist()))
    df["distance"] = ((vectors - vectors.mean()) ** 2).sum(axis=1).to_numpy()
    return df


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    chat = dd.ChatCompletionInferenceParams(max_parallel_requests=16)
    vectors = dd.EmbeddingInferenceParams(max_parallel_requests=4)
    models = [
        dd.ModelConfig(alias="writer", model="sim-writer", provider="simulated", inference_parameters=chat),
        dd.ModelConfig(alias="critic", model="sim-critic", provider="simulated", inference_parameters=chat),
        dd.ModelConfig(alias="vectors", model="sim-vectors", provider="simulated", inference_parameters=vectors),
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    products = ["a kettle that sings", "an umbrella for two", "a lamp without a switch"]
    builder.add_column(name="product", column_type="sampler", sampler_type="category", params={"values": products})
    builder.add_column(dd.CustomColumnConfig(name="pitch", generator_function=pitch, generator_params=Taste()))
    builder.add_column(dd.CustomColumnConfig(name="title", generator_function=title, generator_params=Taste()))
    builder.add_column(
        dd.CustomColumnConfig(
            name="distance",
            generator_function=odd_one_out,
            generation_strategy=dd.GenerationStrategy.FULL_COLUMN,
        )
    )
    return builder
