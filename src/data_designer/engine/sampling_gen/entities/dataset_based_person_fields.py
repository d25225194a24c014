"""Fields of managed person data, where users import them from."""

from data_designer.columns.samplers.person_fields import PERSONA_FIELDS, PII_FIELDS, REQUIRED_FIELDS

__all__ = ["PERSONA_FIELDS", "PII_FIELDS", "REQUIRED_FIELDS"]
