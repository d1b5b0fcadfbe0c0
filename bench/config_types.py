"""The JSON types that transformers' config classes accept for each of their members.

    python3 bench/config_types.py > fixtures/config-types.json

For every config class that vpatch supports, and every member that is a number or a boolean: a letter for each accepted
type: i 4, f 4.5, b true, s "4", n null, l [4, 4], o {}. Each member is tested alone, with the defaults of its class for
the others. Made with transformers 5.24.0; the file names the version.
"""

import dataclasses
import json
from typing import Any

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

TYPES = [
    "llama", "mistral", "qwen2", "qwen2_5_vl", "qwen2_5_vl_text", "qwen2_5_vl_vision", "llava", "llava_next",
    "llava_onevision", "clip_vision_model", "siglip_vision_model", "dinov2",
]  # fmt: skip
# Several of a kind: a number that another member has to divide is not refused for its kind.
KINDS: dict[str, list[Any]] = {
    "i": [4, 96, 3072], "f": [4.5, 0.5], "b": [True], "s": ["4", "0.5", "true"], "n": [None],
    "l": [[4, 4], [384, 384], [-2]], "o": [{}],
}  # fmt: skip


def accepts(config: Any, model_type: str, member: str, value: Any) -> bool:
    try:
        config.from_dict({"model_type": model_type, member: value})
    except Exception:  # noqa: BLE001, whatever a class throws is a refusal
        return False
    return True


def members(model_type: str) -> dict[str, str]:
    config = CONFIG_MAPPING[model_type]
    found: dict[str, str] = {}
    for field in sorted(field.name for field in dataclasses.fields(config)):
        letters = "".join(letter for letter, values in KINDS.items()
                          if any(accepts(config, model_type, field, value) for value in values))
        # What takes text is none of these; what takes anything is not checked there.
        if field != "dtype" and "s" not in letters and set(letters) & set("ifb"):
            found[field] = letters
    return found


def main() -> None:
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    tables = {name: members(name) for name in TYPES}
    print(json.dumps({"transformers": transformers.__version__, "classes": tables}, indent=1))


if __name__ == "__main__":
    main()
