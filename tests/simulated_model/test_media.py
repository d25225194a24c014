"""Vectors and pictures of the simulated model: the same for the same text, near for near ones, and real PNGs."""

import base64
import io

import openai
import pytest
from PIL import Image

from data_designer.simulated_model.pictures import picture, size_of
from data_designer.simulated_model.vectors import vectors_of


def test_texts_that_share_words_are_near_each_other() -> None:
    """By the cosine of their vectors, whose length is 1."""
    tea, teas, stone = vectors_of(["a cup of tea", "a pot of tea", "granite boulder"], 128)
    assert sum(x * x for x in tea) == pytest.approx(1.0, abs=1e-3)
    assert (
        sum(x * y for x, y in zip(tea, teas, strict=True)) > sum(x * y for x, y in zip(tea, stone, strict=True)) + 0.2
    )
    assert vectors_of(["a cup of tea"], 128) == [tea]
    assert len(vectors_of([""], 7)[0]) == 7


def test_a_picture_is_a_png_of_its_size() -> None:
    """Whatever it is padded by; another description has other colours."""
    for padding in (0, 10_000):
        content = base64.b64decode(picture("a red barn", (20, 10), padding))
        assert len(content) > padding
        image = Image.open(io.BytesIO(content))
        image.load()
        assert (image.format, image.size) == ("PNG", (20, 10))
    assert picture("a red barn") != picture("a blue barn")


@pytest.mark.parametrize("size", ["99999x99999", "0x5"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    """As an endpoint would."""
    with pytest.raises(ValueError, match="is no size"):
        size_of(size)


@pytest.mark.usefixtures("processes")  # OpenAI's client asks `uname` what machine this is
def test_both_are_served_as_openai_has_them(simulated: str) -> None:
    """Read by OpenAI's own client, on both routes of images."""
    with openai.OpenAI(base_url=simulated, api_key="x") as client:
        found = client.embeddings.create(model="e", input=["a", "b"], dimensions=5, encoding_format="float")
        assert [len(item.embedding) for item in found.data] == [5, 5]
        packed = client.embeddings.create(model="e", input="a", dimensions=5)
        assert packed.data[0].embedding == pytest.approx(found.data[0].embedding, abs=1e-6)
        made = client.images.generate(model="dall-e-3", prompt="a cat", n=2, size="256x256")
        assert made.data is not None
        assert len(made.data) == 2
        for one in made.data:
            assert one.b64_json is not None
            assert Image.open(io.BytesIO(base64.b64decode(one.b64_json))).size == (256, 256)
        chat = client.chat.completions.create(model="an-image-model", messages=[{"role": "user", "content": "a cat"}])
        [image] = chat.choices[0].message.model_extra["images"] if chat.choices[0].message.model_extra else []
        assert image["image_url"]["url"].startswith("data:image/png;base64,")
