"""Answers in JSON: read out of replies, held to their schemas."""
