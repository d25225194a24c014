"""Import paths that scripts written for the original use."""

import importlib
from pathlib import Path

import pytest

import data_designer.config as dd
from data_designer import errors
from data_designer.config.dataset_metadata import DatasetMetadata
from data_designer.config.models import Distribution, DistributionType
from data_designer.config.sampler_constraints import Constraint

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
    "data_designer.engine.dataset_builders.utils.errors": "DAGCircularDependencyError",
    "data_designer.engine.column_generators.utils.errors": "CustomColumnGenerationError",
    "data_designer.engine.sampling_gen.errors": "RejectionSamplingError",
    "data_designer.engine.sampling_gen.data_sources.errors": "InvalidSamplerParamsError",
    "data_designer.engine.sampling_gen.entities.errors": "MissingPersonFieldsError",
}


@pytest.mark.parametrize("path", PATHS)
def test_errors_are_where_users_catch_them(path: str) -> None:
    """Each old path gives the very class that is raised."""
    module = importlib.import_module(path)
    assert getattr(module, PATHS[path]) is getattr(errors, PATHS[path])
    for name in module.__all__:
        assert getattr(module, name) is getattr(errors, name, errors.ModelGenerationValidationFailureError)


def test_settings_and_metadata_are_where_users_import_them_from() -> None:
    """Each has one class under both of its paths."""
    for path, name, at_the_door in (
        ("request_admission", "RequestAdmissionTuningConfig", dd.RequestAdmissionTuningConfig),
        ("run_config_deprecated", "ThrottleConfig", dd.ThrottleConfig),
        ("dataset_metadata", "DatasetMetadata", DatasetMetadata),
    ):
        assert getattr(importlib.import_module(f"data_designer.config.{path}"), name) is at_the_door
    assert DatasetMetadata().seed_column_names == []


def test_bases_of_declarations_are_classes() -> None:
    """So `isinstance` tells a constraint or a distribution from other things."""
    constraint = dd.ScalarInequalityConstraint(target_column="n", rhs=3, operator="lt")
    assert isinstance(constraint, Constraint)
    assert constraint.constraint_type == "scalar_inequality"
    drawn = dd.UniformDistribution(params=dd.UniformDistributionParams(low=0, high=1))
    assert isinstance(drawn, Distribution)
    assert drawn.distribution_type == DistributionType.UNIFORM
    assert 0 <= drawn.sample() <= 1


def test_a_disabled_early_shutdown_keeps_the_rate_that_was_given() -> None:
    """The rate in force is another one."""
    run = dd.RunConfig(disable_early_shutdown=True, shutdown_error_rate=0.25)
    assert (run.shutdown_error_rate, run.effective_shutdown_error_rate) == (0.25, 1.0)
    assert dd.RunConfig(shutdown_error_rate=0.25).effective_shutdown_error_rate == 0.25


def test_secrets_are_resolved_by_the_resolvers_that_users_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment first, then a file; what nobody knows is refused without being shown."""
    from data_designer.engine import secret_resolver as resolvers

    monkeypatch.setenv("MY_KEY", "from the environment")
    file = tmp_path / "secrets.json"
    file.write_text('{"OTHER": "from the file"}')
    both = resolvers.CompositeResolver([resolvers.EnvironmentResolver(), resolvers.SecretsFileResolver(file)])
    assert [both.resolve("MY_KEY"), both.resolve("OTHER")] == ["from the environment", "from the file"]
    with pytest.raises(errors.SecretResolutionError) as caught:
        both.resolve("sk-1234567890")
    assert "1234567890" not in str(caught.value)
    whole = resolvers.CompositeResolver([*both.resolvers, resolvers.PlaintextResolver()])
    assert whole.resolve("sk-1234567890") == "sk-1234567890"
    file.write_text("[1]")
    with pytest.raises(errors.SecretResolutionError, match="one object of texts"):
        resolvers.SecretsFileResolver(file)


def test_preview_results_are_where_users_import_them_from() -> None:
    """`PreviewResults` has its old home in config."""
    from data_designer.config.preview_results import PreviewResults
    from data_designer.interface.results import PreviewResults as Real

    assert PreviewResults is Real


def test_errors_are_at_the_doors_too() -> None:
    """Those that scripts catch most."""
    from data_designer.interface import ArtifactStorageError

    assert ArtifactStorageError is errors.ArtifactStorageError
    for name in ("InvalidConfigError", "InvalidFilePathError", "InvalidFileFormatError"):
        assert getattr(dd, name) is getattr(errors, name)


@pytest.mark.parametrize("name", ["missing.yaml", "missing.json", Path("missing.YML")])
def test_a_configuration_that_is_not_there_is_caught_either_way(name: "str | Path") -> None:
    """As a missing file, or as a wrong path."""
    for kind in (FileNotFoundError, dd.InvalidFilePathError):
        with pytest.raises(kind, match="there is no configuration file"):
            dd.DataDesignerConfigBuilder.from_config(name)
