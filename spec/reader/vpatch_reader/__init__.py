"""A second reader of .vpatch files, written from spec/vpatch-format.md alone.

It is meant to be read: each module opens with the section of the format it follows.
"""
