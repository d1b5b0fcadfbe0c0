"""Vision-language models: training compared with PyTorch and transformers, and memory at full size. Markdown.

    $(bench/setup.sh) bench/vision.py                   on .build/release/vpatch; ten minutes, 16 GB of memory, 8 GB of
                                                        disk
    $(bench/setup.sh) bench/vision.py --only speed

The real model is made from public packages (small_lmm.py); the tiny ones are in fixtures/tiny-models. PyTorch is in a
separate environment (`bench/setup.sh vision`, about 1 GB). docs/benchmarks.md describes the measurements;
bench/dinov2_check.py compares the real model's image encoder with its ONNX graph.
"""
import sys
from pathlib import Path

import models
import qwen_size
import small_lmm
import vision_speed
from measure import BenchError

SECTIONS = {"speed": vision_speed.section, "size": qwen_size.section}


def main() -> int:
    options = models.arguments(__doc__, SECTIONS, "the real model (default: made by bench/small_lmm.py)")
    folder = Path(options.model).absolute() if options.model else small_lmm.directory()
    return models.program("Vision-language models", options, SECTIONS, folder, "vision")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
