"""Compares vpatch's image decoding and preprocessing with Pillow's and transformers' on random images.

    python bench/image_cases.py FOLDER [--images 3000]     needs pillow==13.0.0, numpy, transformers==5.23.0
    VPATCH_IMAGES=FOLDER swift test --filter PillowTests

The first command writes image files with test cases (in the format of `fixtures/images`). The second reads them and
fails if a pixel or a value differs. One third of the cases are files in all formats, modes and options that Pillow
writes (and PNG variants that it does not write), one third are resizings, one third are image processors.
"""
import argparse
import math
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fixtures" / "images"))
import make
from PIL import Image


def side(rng: random.Random, most: int = 300) -> int:
    """Small ones are as frequent as large ones."""
    return int(math.exp(rng.uniform(0, math.log(most))))


def random_file(rng: random.Random) -> tuple[str, bytes]:
    """A name's ending and the bytes of an image."""
    width, height = side(rng), side(rng)
    orientation = rng.choice([1, 1, 1, *range(10)])
    block = make.exif(orientation, rng.random() < 0.5)
    kind = rng.choice(["png", "jpg", "jpg", "webp"])
    if kind == "png":
        depth, color = rng.choice(make.PNG_FORMS)
        before = make.chunk(b"eXIf", block) if orientation != 1 else b""
        return kind, make.random_png(rng, width, height, depth, color, rng.random() < 0.4, rng.random() < 0.3, before)
    if kind == "webp":
        image = make.photo(rng, width, height, rng.choice(["RGB", "RGBA"]))
        options = {"exif": block} if orientation != 1 else {}
        return kind, make.saved(
            image, "WEBP", lossless=rng.random() < 0.3, quality=rng.randint(0, 100), method=rng.randint(0, 6),
            exact=rng.random() < 0.5, alpha_quality=rng.randint(0, 100), **options)
    mode = rng.choice(["L", "RGB", "RGB", "RGB", "CMYK"])
    options = {"quality": rng.randint(1, 100), "progressive": rng.random() < 0.3, "optimize": rng.random() < 0.3}
    if rng.random() < 0.2:
        options["restart_marker_blocks"] = rng.randint(1, 9)
    odd = rng.choice([None, None, None, None, (1, 0x21, 0x12), (2, 0x22, 0x41), (2, 0x22, 0x14)])
    if mode == "RGB" and odd:
        width = height = 32 * rng.randint(1, 6)
        data = make.saved(make.photo(rng, width, height, mode), "JPEG", subsampling=odd[0], **options)
        data = make.sampling(data, *odd[1:])
    else:
        if mode == "RGB":
            options["subsampling"] = rng.choice([0, 1, 2])
            options["keep_rgb"] = options["subsampling"] == 0 and rng.random() < 0.3
        data = make.saved(make.photo(rng, width, height, mode), "JPEG", **options)
        if mode == "CMYK" and rng.random() < 0.5:
            data = make.ycck(data)
    if orientation != 1:
        data = make.with_segment(data, 0xE1, b"Exif\0\0" + block)
    return kind, data


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for i in range(arguments.images // 3):
        ending, data = random_file(rng)
        name = f"{i}.{ending}"
        (arguments.folder / name).write_bytes(data)
        cases.append(make.decode_case(name, data))
    for i in range(arguments.images // 3):
        old, new = (side(rng), side(rng)), (side(rng), side(rng))
        if rng.random() < 0.3:
            across, down = (max(1, n + rng.randint(-9, 9)) for n in old)
            new = across, down
        cases.append(make.resize_case(i, old, new, rng.randint(0, 3)))
    make.write_configs(arguments.folder)
    tools = {name: make.processor(config) for name, config in make.CONFIGS.items()}
    for i in range(arguments.images - len(cases)):
        name = rng.choice(list(tools))
        alone = "onevision" not in name or rng.random() < 0.7
        cases.append(make.process_case(name, tools[name], i, (side(rng), side(rng)), alone))
    make.write_cases(arguments.folder, cases)
    print(f"{len(cases)} cases, Pillow {Image.__version__}")


if __name__ == "__main__":
    main()
