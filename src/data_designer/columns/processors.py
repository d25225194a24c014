"""Processors of finished batches: rows in another form."""

import logging
from collections.abc import Collection, Iterator

from data_designer.columns.frames import cells, to_frame
from data_designer.columns.random_streams import key
from data_designer.columns.templating.seeded_random import draw_for
from data_designer.columns.templating.templates import Template, compile_json_template, template_violations
from data_designer.config.base import ProcessorConfig
from data_designer.config.processors import PROCESSOR_PLUGINS, SchemaTransformProcessorConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import DatasetProcessingError, PluginLoadError
from data_designer.values import Block, Record

logger = logging.getLogger(__name__)


class SchemaTransform:
    """Writes rows in the form of a template, compiled once.

    Each text in the template is a Jinja template of its own; what it interpolates stays inside that text,
    written as JSON writes it. Everything else in the template is kept as it is.
    """

    def __init__(
        self, config: SchemaTransformProcessorConfig, engine: JinjaRenderingEngine, known: Collection[str]
    ) -> None:
        """Compile the template.

        Args:
            config: The processor.
            engine: How templates are rendered.
            known: Columns of the finished batch.

        Raises:
            PromptTemplateRenderError: a text of the template breaks a rule of the engine.
        """
        self._name = config.name
        self._form = {key: _compiled(form, engine, known) for key, form in config.template.items()}

    def apply(self, block: Block, seed: int = 0) -> list[dict[str, object]]:
        """Transform every row, in the order of the block; one that cannot be rendered is all null, which is said.

        Args:
            block: the rows.
            seed: what `random` draws from.
        """
        stream = key(seed, "processor", self._name)
        return [self._transformed(block, place, stream) for place in range(len(block))]

    def _transformed(self, block: Block, place: int, stream: int) -> dict[str, object]:
        draw_for(stream, int(block.rows[place]))
        record = {name: values[place] for name, values in block.columns.items()}
        try:
            return {key: _filled(form, record) for key, form in self._form.items()}
        except Exception as error:  # noqa: BLE001 - a template is the user's program; what is paid for is kept
            logger.warning(
                "processor=%s record=%d is null there: %s: %s",
                self._name,
                block.rows[place],
                type(error).__name__,
                error,
            )
            return dict.fromkeys(self._form)


class BatchProcessor:
    """A plugin's processor, which is given the rows of a batch and gives them back."""

    def __init__(self, config: ProcessorConfig) -> None:
        """Make it.

        Raises:
            DatasetProcessingError: it cannot be made.
        """
        self._name = config.name
        try:
            self._processor = PROCESSOR_PLUGINS[config.processor_type].impl_cls(config, None)
        except Exception as error:
            # Another package's code may raise anything.
            raise DatasetProcessingError(
                f"processor '{config.name}' cannot be made: {type(error).__name__}: {error}"
            ) from error

    def apply(self, block: Block, batch: int | None) -> Block:
        """What it makes of the rows of a batch.

        Raises:
            DatasetProcessingError: it fails, or gives back other rows.
        """
        import pandas as pd

        try:
            made = self._processor.process_after_batch(to_frame(block.columns, len(block)), current_batch_number=batch)
        except Exception as error:
            raise DatasetProcessingError(f"processor '{self._name}': {type(error).__name__}: {error}") from error
        if not isinstance(made, pd.DataFrame) or len(made) != len(block):
            what = f"{len(made)} rows" if isinstance(made, pd.DataFrame) else type(made).__name__
            raise DatasetProcessingError(
                f"processor '{self._name}' gave {what} for {len(block)}: it gives a DataFrame of as many back; a "
                "stage of a workflow may change their number"
            )
        return Block(block.rows, {str(name): cells(made[name]) for name in made})


_NOT_CALLED = ("process_before_batch", "process_after_generation")


def plugin_violations(config: ProcessorConfig) -> Iterator[str]:
    """What keeps a plugin's processor from being applied; nothing where it is fine, or of no plugin."""
    plugin = PROCESSOR_PLUGINS.get(config.processor_type)
    if plugin is None:
        return
    try:
        implementation = plugin.impl_cls
    except PluginLoadError as error:
        yield str(error)
        return
    for name in _NOT_CALLED:
        if implementation.implements(name):
            yield f"{plugin.impl_qualified_name} has {name}, which this version does not call"


def transform_violations(
    config: SchemaTransformProcessorConfig, engine: JinjaRenderingEngine, known: Collection[str]
) -> list[str]:
    """List everything that would keep a schema transform from being applied; empty when it is fine."""
    return [
        f"{where}: {violation}"
        for where, text in _texts(config.template, "template")
        for violation in template_violations(text, engine, known)
    ]


def _compiled(form: object, engine: JinjaRenderingEngine, known: Collection[str]) -> object:
    match form:
        case str():
            return compile_json_template(form, engine, known)
        case dict():
            return {key: _compiled(value, engine, known) for key, value in form.items()}
        case list() | tuple():
            return [_compiled(value, engine, known) for value in form]
        case _:
            return form


def _filled(form: object, record: Record) -> object:
    match form:
        case Template():
            return form.text(record)
        case dict():
            return {key: _filled(value, record) for key, value in form.items()}
        case list():
            return [_filled(value, record) for value in form]
        case _:
            return form


def _texts(form: object, where: str) -> Iterator[tuple[str, str]]:
    match form:
        case str():
            yield where, form
        case dict():
            for key, value in form.items():
                yield from _texts(value, f"{where}.{key}")
        case list() | tuple():
            for place, value in enumerate(form):
                yield from _texts(value, f"{where}[{place}]")
