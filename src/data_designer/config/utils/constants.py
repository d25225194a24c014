"""Folders of the user's, as they are when this is imported."""

from data_designer.config.defaults import home, managed_assets

DATA_DESIGNER_HOME = home()
MANAGED_ASSETS_PATH = managed_assets()
