"""Uploads datasets to the Hugging Face hub."""

from data_designer.integrations.huggingface.client import HuggingFaceHubClient, HuggingFaceHubClientUploadError

__all__ = ["HuggingFaceHubClient", "HuggingFaceHubClientUploadError"]
