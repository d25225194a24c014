"""Errors of models, where users import them from."""

from data_designer.errors import (
    ImageGenerationError,
    ModelAPIConnectionError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelBadRequestError,
    ModelContextWindowExceededError,
    ModelGenerationValidationFailureError,
    ModelInternalServerError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestAdmissionTimeoutError,
    ModelRequestRejectedError,
    ModelStructuredOutputError,
    ModelTimeoutError,
    ModelUnprocessableEntityError,
    ModelUnsupportedCapabilityError,
    ModelUnsupportedParamsError,
)

__all__ = [
    "GenerationValidationFailureError",
    "ImageGenerationError",
    "ModelAPIConnectionError",
    "ModelAPIError",
    "ModelAuthenticationError",
    "ModelBadRequestError",
    "ModelContextWindowExceededError",
    "ModelGenerationValidationFailureError",
    "ModelInternalServerError",
    "ModelNotFoundError",
    "ModelPermissionDeniedError",
    "ModelQuotaExceededError",
    "ModelRateLimitError",
    "ModelRequestAdmissionTimeoutError",
    "ModelRequestRejectedError",
    "ModelStructuredOutputError",
    "ModelTimeoutError",
    "ModelUnprocessableEntityError",
    "ModelUnsupportedCapabilityError",
    "ModelUnsupportedParamsError",
]

GenerationValidationFailureError = ModelGenerationValidationFailureError
