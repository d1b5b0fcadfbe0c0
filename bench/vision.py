"""Models that see: training of vpatch beside PyTorch and transformers, and the memory of a step at full size. Markdown.

    $(bench/setup.sh) bench/vision.py                   on .build/release/vpatch; ten minutes, 16 GB of memory, 8 GB of
                                                        disk
    $(bench/setup.sh) bench/vision.py --only speed

The real model is put together of public packages (small_lmm.py); the tiny ones are those of fixtures/tiny-models.
PyTorch lives in an environment of its own (`bench/setup.sh vision`, about 1 GB). docs/benchmarks.md says what is
measured and how; bench/dinov2_check.py holds the tower of the real model against its own graph.
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
    options = models.arguments(__doc__, SECTIONS, "the real model (default: what bench/small_lmm.py makes)")
    folder = Path(options.model).absolute() if options.model else small_lmm.directory()
    return models.program("Models that see", options, SECTIONS, folder, "vision")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
