"""Where users import errors of compiling from."""
