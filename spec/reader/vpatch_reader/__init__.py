"""A second reader of .vpatch files, written from spec/vpatch-format.md alone.

It is written to be read: each module begins with the section of the format that it implements.
"""
