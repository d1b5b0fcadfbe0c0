"""Canonical JSON (section 1): valid and invalid texts, and that writing and reading agree."""

import unittest

from support import Refusals

import craft

from vpatch_reader.strict_json import canonical, parse, parse_canonical

GOOD = [b"{}", b"[]", b'""', b"0", b"9007199254740991", b'{"a":[1,{"b":true}],"c":null}', '"ü\U0001f600\x7f/"'.encode(),
        b'"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f"', '{"\uff5e":1,"\U0001f600":2}'.encode(), b"[" * 32 + b"]" * 32]
BAD = [b"", b" {}", b"{} ", b"{ }", b"[1, 2]", b"-0", b"-1", b"1.0", b"1e3", b"01", b"9007199254740992", b"NaN",
       b"Infinity", b'"\\u0041"', b'"\\/"', b'"\\u001F"', b'"\\u0009"', b'"\n"', b'"\\ud83d\\ude00"', b'"\\ud800"',
       b'"\xff"', b"{'a':1}", b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}',
       '{"\U0001f600":2,"\uff5e":1}'.encode(), b"[" * 33 + b"]" * 33, b"[" * 100_000, b"9" * 5000, b"[1,]",
       b"\xef\xbb\xbf{}", b"{}{}", b"tru"]


class Canonical(Refusals):
    def test_good(self) -> None:
        for text in GOOD:
            value = parse_canonical(text, "header-json")
            self.assertEqual(canonical(value), text)
            self.assertEqual(craft.canonical(value), text)

    def test_bad(self) -> None:
        for text in BAD:
            with self.subTest(text[:40]):
                self.assertRefused("header-json", "JSON", parse_canonical, text, "header-json")

    def test_strict_is_not_canonical(self) -> None:
        self.assertEqual(parse(b"[" + b"9" * 5000 + b"]", "annotations-json"), [float("inf")])  # valid, though useless
        self.assertEqual(parse(b' { "b" : 1.5e1, "a" : "\\u00fc" } ', "index"), {"b": 15.0, "a": "ü"})


if __name__ == "__main__":
    unittest.main()
