"""The version of this library."""

from importlib.metadata import PackageNotFoundError, version


def get_library_version() -> str:
    """Installed version, or `unknown`."""
    try:
        return version("data-designer-ray")
    except PackageNotFoundError:
        return "unknown"
