"""Sequence mixers: what moves information along a text. Each is one file, found by `registry`."""
