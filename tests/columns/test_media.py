"""Columns that show a model media: what is asked, in which order, and what keeps a cell from being asked about."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from tests.fakes import model, provider
from tests.plans import compiled

import data_designer.config as dd
from data_designer.columns.checks import violations_of
from data_designer.columns.llm import ConversationLimits, Form, LlmProgram
from data_designer.columns.llm_text import text_form
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.values import ChatRequest, ChatResponse, Drop, FileRequest, FileResponse, Message, Ok, Outcome

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
JPEG = b"\xff\xd8\xff\xe0" + bytes(8)
NO_FILES: Mapping[str, bytes] = {}
PHOTO = dd.ImageContext(column_name="photo")


def in_base64(content: bytes) -> str:
    """The text of it."""
    return base64.b64encode(content).decode()


def image(media_type: str, content: bytes) -> dict[str, Any]:
    """A block."""
    source = {"type": "base64", "media_type": media_type, "data": in_base64(content)}
    return {"type": "image", "source": source}


def text(words: str) -> dict[str, Any]:
    """A block."""
    return {"type": "text", "text": words}


def converse(
    record: dict[str, Any],
    *contexts: dd.ModalityContext,
    files: Mapping[str, bytes] = NO_FILES,
    form: Form | None = None,
    makes: tuple[str, ...] = ("x",),
    **fields: Any,
) -> tuple[Outcome, list[list[Message]]]:
    """Run one cell of a column `x` whose model says `fine`; give the outcome and what was asked."""
    config = dd.LLMTextColumnConfig(
        **{"name": "x", "model_alias": "m", "prompt": "P", "multi_modal_context": list(contexts), **fields}
    )
    once = ConversationLimits(restarts=0, corrections=0)
    form = form or text_form(config, None)
    exchange = LlmProgram(config, form, once, JinjaRenderingEngine.SECURE, ["photo"], makes).exchange(record, 0)
    asked: list[list[Message]] = []
    try:
        request = next(exchange)
        while True:
            match request:
                case FileRequest(name):
                    request = exchange.send(FileResponse(files.get(name, "it is not there")))
                case ChatRequest(messages):
                    asked.append(messages)
                    request = exchange.send(ChatResponse("fine"))
                case _:
                    raise AssertionError(request)
    except StopIteration as stop:
        return stop.value, asked


def test_media_stand_before_the_text_in_one_message() -> None:
    """All contexts in their order, each value a block of its own; the system prompt is apart."""
    record = {"photo": [in_base64(PNG), "http://x/a.png"], "sound": "http://x/a"}
    _, [messages] = converse(record, PHOTO, dd.AudioContext(column_name="sound"), system_prompt="S")
    assert messages == [
        {"role": "system", "content": [text("S")]},
        {
            "role": "user",
            "content": [
                image("image/png", PNG),
                {"type": "image", "source": {"type": "url", "url": "http://x/a.png"}},
                {"type": "audio", "source": {"type": "url", "url": "http://x/a"}},
                text("P"),
            ],
        },
    ]


def test_a_file_is_asked_of_whoever_carries_the_exchange_on() -> None:
    """The program reads nothing itself; what it is sent becomes a block."""
    outcome, [[message]] = converse({"photo": "images/a.jpg"}, PHOTO, files={"images/a.jpg": JPEG})
    assert message["content"] == [image("image/jpeg", JPEG), text("P")]
    assert outcome == Ok(("fine",))


def test_an_empty_prompt_leaves_all_to_the_media() -> None:
    """Nothing is rendered, so nothing can come to nothing; the text is empty."""
    outcome, [[message]] = converse({"photo": in_base64(PNG)}, PHOTO, prompt="")
    assert message["content"] == [image("image/png", PNG), text("")]
    assert outcome == Ok(("fine",))


def test_an_empty_prompt_still_says_what_form_the_answer_has() -> None:
    """Instructions of the column's kind are all of the text."""
    form = Form(lambda reply: reply, "Answer in JSON.")
    _, [[message]] = converse({"photo": in_base64(PNG)}, PHOTO, prompt="", form=form)
    assert message["content"] == [image("image/png", PNG), text("Answer in JSON.")]


def test_a_prompt_that_renders_to_nothing_ends_its_cell_with_media_too() -> None:
    """Only one that is empty itself is meant to say nothing."""
    outcome, asked = converse({"photo": ""}, PHOTO, prompt="{{ photo }}")
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "PromptTemplateRenderError"
    assert asked == []


@pytest.mark.parametrize("value", [None, "no picture", 3, "images/gone.png"])
def test_a_cell_without_its_medium_is_not_asked_about(value: object) -> None:
    """It is rejected with the column that is to blame, at no cost."""
    outcome, asked = converse({"photo": value}, PHOTO)
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "MediaError"
    assert outcome.reason.message.startswith("column 'photo' holds ")
    assert asked == []


def test_traces_hold_the_media() -> None:
    """As the exchange has them, whatever the wire makes of them."""
    outcome, _ = converse(
        {"photo": in_base64(PNG)}, PHOTO, with_trace=dd.TraceType.ALL_MESSAGES, makes=("x", "x__trace")
    )
    assert isinstance(outcome, Ok)
    [user, assistant] = outcome.values[1]  # type: ignore[misc]
    assert user == {"role": "user", "content": [image("image/png", PNG), text("P")]}
    assert assistant == {"role": "assistant", "content": [text("fine")]}


# --- what is said before a run ---------------------------------------------------------------------------


def declared(*contexts: dd.ModalityContext, kind: str = "llm-text", **fields: Any) -> dd.DataDesignerConfigBuilder:
    """A column of media, and one whose model is shown it."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    made.add_column(
        **{"name": "x", "column_type": kind, "model_alias": "m", "prompt": "What is it?", **fields},
        multi_modal_context=list(contexts),
    )
    made.add_column(name="photo", column_type="sampler", sampler_type="category", params={"values": ["a.png"]})
    return made


def found(made: dd.DataDesignerConfigBuilder, **of_provider: Any) -> list[str]:
    """What is wrong with it."""
    providers = {"p": provider("http://127.0.0.1:9/v1", **of_provider)}
    return [one.type for one in violations_of(made.build(), dd.RunConfig(), providers, {})]


def test_a_context_is_a_reference() -> None:
    """Its column comes first, a prompt without any other refers to something, and an empty one is meant."""
    plan = compiled(declared(PHOTO), 1)
    assert [step.required for step in plan.steps if step.name == "x"] == [("photo",)]
    assert [stage.makes for stage in plan.stages] == [("photo",), ("x",)]
    assert found(declared(PHOTO)) == found(declared(PHOTO, prompt="")) == []
    assert found(declared()) == ["prompt_without_references"]
    assert found(declared(dd.ImageContext(column_name="foto"))) == ["invalid_reference"]


def test_an_empty_prompt_of_an_image_column_is_a_mistake_all_the_same() -> None:
    """There is no image of nothing."""
    assert "empty_prompt" in found(declared(PHOTO, kind="image", prompt=""))


@pytest.mark.parametrize("kind", ["llm-text", "llm-judge"])
def test_what_an_api_has_no_form_for_is_said_before_the_run(kind: str) -> None:
    """Anthropic's messages take images, and no sound or film."""
    scores = {"scores": [dd.Score(name="s", description="d", options={1: "a"})]} if kind == "llm-judge" else {}
    contexts = [context(column_name="photo") for context in (dd.ImageContext, dd.AudioContext, dd.VideoContext)]
    made = declared(*contexts, kind=kind, **scores)
    assert found(made, provider_type="anthropic") == ["unsupported_media", "unsupported_media"]
    assert found(made) == []
