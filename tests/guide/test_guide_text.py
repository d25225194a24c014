"""The guide's code blocks and its table of defaults."""

from pydantic import BaseModel

import data_designer.config as dd


def test_the_code_blocks_of_the_guide_run_as_they_stand() -> None:
    """Every parameter that the guide's code names is accepted with the value it shows."""
    from data_designer.config import ChatCompletionInferenceParams, ModelConfig, RunConfig

    assert RunConfig(buffer_size=2000).buffer_size == 2000
    model = ModelConfig(
        alias="my-model",
        model="meta/llama-3.1-70b-instruct",
        inference_parameters=ChatCompletionInferenceParams(
            max_parallel_requests=8,
        ),
    )
    assert model.inference_parameters.max_parallel_requests == 8
    assert RunConfig(non_inference_max_parallel_workers=8).non_inference_max_parallel_workers == 8
    assert ChatCompletionInferenceParams(max_parallel_requests=16).max_parallel_requests == 16
    run_config = RunConfig(
        max_conversation_restarts=3,  # Reduce from default 5
        max_conversation_correction_steps=1,  # Allow 1 in-conversation correction
    )
    assert (run_config.max_conversation_restarts, run_config.max_conversation_correction_steps) == (3, 1)

    class SimpleOutput(BaseModel):
        field1: str
        field2: int
        field3: list[str]

    column = dd.LLMStructuredColumnConfig(name="c", prompt="p", model_alias="m", output_format=SimpleOutput)
    assert set(column.output_format["properties"]) == {"field1", "field2", "field3"}
    run_config = RunConfig(
        disable_early_shutdown=False,  # Enable early shutdown (default)
        shutdown_error_rate=0.5,  # Shut down if >50% errors
        shutdown_error_window=10,  # After at least 10 tasks complete
    )
    assert run_config == RunConfig()
    assert RunConfig(disable_early_shutdown=True).effective_shutdown_error_rate == 1.0


def test_every_default_of_the_quick_reference_is_ours() -> None:
    """The guide's table of defaults holds."""
    run = dd.RunConfig()
    assert dd.ChatCompletionInferenceParams().max_parallel_requests == 4
    assert {
        "buffer_size": run.buffer_size,
        "non_inference_max_parallel_workers": run.non_inference_max_parallel_workers,
        "shutdown_error_rate": run.shutdown_error_rate,
        "shutdown_error_window": run.shutdown_error_window,
        "max_conversation_restarts": run.max_conversation_restarts,
        "max_conversation_correction_steps": run.max_conversation_correction_steps,
        "disable_early_shutdown": run.disable_early_shutdown,
    } == {
        "buffer_size": 1000,
        "non_inference_max_parallel_workers": 4,
        "shutdown_error_rate": 0.5,
        "shutdown_error_window": 10,
        "max_conversation_restarts": 5,
        "max_conversation_correction_steps": 0,
        "disable_early_shutdown": False,
    }
