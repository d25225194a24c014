"""Import paths that scripts written for the original use."""

import importlib

import pytest

from data_designer import errors

PATHS = {
    "data_designer.config.errors": "InvalidConfigError",
    "data_designer.config.utils.errors": "UserJinjaTemplateSyntaxError",
    "data_designer.config.analysis.utils.errors": "AnalysisReportError",
    "data_designer.interface.errors": "DataDesignerGenerationError",
    "data_designer.engine.errors": "UnknownProviderError",
    "data_designer.engine.models.errors": "ModelRateLimitError",
    "data_designer.engine.models.parsers.errors": "ParserException",
    "data_designer.engine.dataset_builders.errors": "ArtifactStorageError",
    "data_designer.plugins.errors": "PluginLoadError",
}


@pytest.mark.parametrize("path", PATHS)
def test_errors_are_where_users_catch_them(path: str) -> None:
    """Each old path gives the very class that is raised."""
    module = importlib.import_module(path)
    assert getattr(module, PATHS[path]) is getattr(errors, PATHS[path])
    for name in module.__all__:
        assert getattr(module, name) is getattr(errors, name)


def test_preview_results_are_where_users_import_them_from() -> None:
    """`PreviewResults` has its old home in config."""
    from data_designer.config.preview_results import PreviewResults
    from data_designer.interface.results import PreviewResults as Real

    assert PreviewResults is Real
