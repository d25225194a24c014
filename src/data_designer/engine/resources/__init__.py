"""Where plugins and scripts import readers of seeds and of persons from."""
