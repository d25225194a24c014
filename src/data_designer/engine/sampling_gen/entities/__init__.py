"""Where users import names of persons from."""
