"""Decides what is done next. Pure: no event loop, no clock, no files, no Ray."""
