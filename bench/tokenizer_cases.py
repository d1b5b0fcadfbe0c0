"""Compares vpatch's tokenizer with Hugging Face's on many texts, with real vocabularies and larger trained ones.

    python bench/tokenizer_cases.py FOLDER [--texts 20000]     needs tokenizers, transformers, mistral-common,
                                                               sentencepiece
    VPATCH_TOKENIZERS=FOLDER swift test -c release -Xswiftc -enable-testing --filter TokenizerComparison

The first command writes tokenizers with test cases (in the format of `fixtures/tokenizers`). The second reads them and
fails if an id differs. SmolLM2's tokenizer comes from `~/.cache/vpatch/smollm2`, if it exists; Mistral's (v1 and v3
SentencePiece, Nemo's "tekken") from the package mistral-common. Larger tokenizers are trained on Python's standard
library and the translations of the package pycountry. The texts include every Unicode character.
"""
import argparse
import base64
import importlib.resources
import json
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fixtures" / "tokenizers"))
import make
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors


def corpus() -> Iterator[str]:
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        yield path.read_text(errors="ignore")
    import pycountry
    for path in sorted(Path(pycountry.__file__).parent.glob("locales/*/LC_MESSAGES/*.mo")):
        yield path.read_bytes().decode(errors="ignore").replace("\x00", "\n")
    yield from make.SENTENCES


def every_character() -> Iterator[str]:
    """Each in the places where its category matters."""
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    # The private planes behave like their first characters.
    codes = [code for code in codes if code < 0xF0100]
    for start in range(0, len(codes), 16):
        yield "".join(f"a{chr(c)}b {chr(c)} 1{chr(c)}.{chr(c)}\n" for c in codes[start:start + 16])


def mistral(name: str) -> dict[str, Any]:
    """A SentencePiece model of mistral-common as transformers converts it."""
    import sentencepiece
    from transformers.convert_slow_tokenizer import generate_merges
    data = importlib.resources.files("mistral_common") / "data" / name
    model = sentencepiece.SentencePieceProcessor(model_proto=data.read_bytes())
    vocabulary = {model.id_to_piece(i): i for i in range(model.get_piece_size())}
    scores = {model.id_to_piece(i): model.get_score(i) for i in range(model.get_piece_size())}
    tokenizer = Tokenizer(models.BPE(
        vocabulary, generate_merges(vocabulary, scores), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    control = [p for p, i in vocabulary.items() if model.is_control(i) or model.is_unknown(i)]
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False, special=True) for piece in control])
    return dict(json.loads(tokenizer.to_str()))


def nemo() -> dict[str, Any]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    data = json.loads((importlib.resources.files("mistral_common") / "data" / "tekken_240911.json").read_text())
    letters = bytes_to_unicode()
    config, specials = data["config"], 1000
    words = [base64.b64decode(entry["token_bytes"]) for entry in data["vocab"]]
    words = words[:config["default_vocab_size"] - specials]
    ranks = {word: rank for rank, word in enumerate(words)}
    spell = {word: "".join(letters[byte] for byte in word) for word in words}
    merges = []
    for word in words:
        local = [(word[:i], word[i:]) for i in range(1, len(word)) if word[:i] in ranks and word[i:] in ranks]
        merges += sorted(local, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    tokens = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"] + [f"<SPECIAL_{i}>" for i in range(5, specials)]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    vocabulary |= {spell[word]: rank + specials for word, rank in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocabulary, [(spell[a], spell[b]) for a, b in merges], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(config["pattern"]), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in tokens])
    return dict(json.loads(tokenizer.to_str()))


SMOLLM2 = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vpatch" / "smollm2"


def all_tokenizers() -> Iterator[tuple[str, dict[str, Any]]]:
    if SMOLLM2.exists():
        yield "real-smollm2", json.loads((SMOLLM2 / "tokenizer.json").read_text())
    yield "real-mistral-v1", mistral("tokenizer.model.v1")
    yield "real-mistral-v3", mistral("mistral_instruct_tokenizer_240323.model.v3")
    yield "real-mistral-nemo", nemo()
    yield from make.tokenizers(list(corpus()), 30_000)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=20_000)
    arguments = parser.parse_args()
    for seed, (name, data) in enumerate(all_tokenizers()):
        texts = list(make.strings(seed, arguments.texts, make.special_tokens(data)[:40])) + list(every_character())
        make.write(arguments.folder / name, data, texts, decodings=2000)
        if name == "real-smollm2":
            config = json.loads((SMOLLM2 / "tokenizer_config.json").read_text())
            make.write_auto(arguments.folder / "auto-smollm2", data, config, texts, decodings=2000)
        print(f"{name}: {len(texts)} texts", flush=True)


if __name__ == "__main__":
    main()
