"""Columns of images that a model makes: each cell is a list of files, by their places below the dataset directory."""

import base64
import binascii
import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from data_designer.columns.prompts import prompt_violations
from data_designer.columns.templating.templates import Template, compile_template
from data_designer.config.column_configs import ImageColumnConfig
from data_designer.config.folder_names import unusable
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import ImageGenerationError, PromptTemplateRenderError
from data_designer.plan.columns import producers
from data_designer.plan.kinds import ColumnKind
from data_designer.plan.model import Plan, Step
from data_designer.plan.violation import Violation
from data_designer.values import Drop, Exchange, ImageRequest, ImageResponse, MediaFile, Ok, Reason, Record

EXTENSIONS: Final[Mapping[str, str]] = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
"""Formats in Pillow's words, each with the ending of its files. Others are no images to us."""

_FOLDER = "images"


class UnreadableImageError(ValueError):
    """Something that is to be an image is none."""
