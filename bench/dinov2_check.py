"""Compares the image encoder that bench/dinov2.py extracts with the package's own ONNX graph in onnxruntime.

    $(bench/setup.sh vision) bench/dinov2_check.py [--reference FILE]

It compares the outputs of transformers' Dinov2Model before and after the last normalization, on noise and on images of
easy-vqa. --reference writes the graph's inputs and outputs as a safetensors file (`pixel_values` [N, 3, 224, 224],
`hidden_states` and `last_hidden_state` [N, 257, 384]), to test other implementations. Exit code 1 if outputs differ by
more than 1e-4.
"""
import argparse
import io
import sys
from collections.abc import Iterable, Iterator

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from PIL import Image

import checkpoint
import dinov2
import wheels

SIDE, NEAR = 224, 1e-4
# In the graph, under the names that the hub's model gives them.
OUTPUTS = {"hidden_states": "/backbone/encoder/layer.11/Add_1_output_0",
           "last_hidden_state": "/backbone/layernorm/Add_1_output_0"}


def inputs() -> dict[str, np.ndarray]:
    """{name: pixel values [1, 3, 224, 224]}"""
    random = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {"noise": random.standard_normal((1, 3, SIDE, SIDE), np.float32)}
    mean, std = (np.array(values, np.float32) for values in (dinov2.MEAN, dinov2.STD))
    with wheels.wheel(wheels.EASY_VQA) as wheel:
        for number in (0, 1, 2):
            image = Image.open(io.BytesIO(wheel.read(f"easy_vqa/data/test/images/{number}.png"))).convert("RGB")
            pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 255
            found[f"easy-vqa {number}"] = ((pixels - mean) / std).transpose(2, 0, 1)[None]
    return found


def outputs_of_graph(pixels: Iterable[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The graph's tensors before and after the tower's last normalization."""
    model = dinov2.graph()
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in OUTPUTS.values())
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    runs = (session.run(list(OUTPUTS.values()), {"input_image": values}) for values in pixels)
    return [dict(zip(OUTPUTS, run, strict=True)) for run in runs]


def outputs_of_transformers(pixels: Iterable[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    model, report = transformers.Dinov2Model.from_pretrained(
        dinov2.directory(), dtype=torch.float32, output_loading_info=True)
    unknown = {key: value for key, value in report.items() if value}
    if unknown:
        sys.exit(f"bench: transformers does not load {dinov2.directory()} completely: {unknown}")
    with torch.inference_mode():
        for values in pixels:
            found = model.eval()(torch.from_numpy(values), output_hidden_states=True)
            yield {"hidden_states": found.hidden_states[-1].numpy(),
                   "last_hidden_state": found.last_hidden_state.numpy()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", metavar="FILE")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers.logging.set_verbosity_error()
    pixels = inputs()
    theirs = outputs_of_graph(pixels.values())
    worst = 0.0
    for name, graph, tower in zip(pixels, theirs, outputs_of_transformers(pixels.values()), strict=True):
        for output in OUTPUTS:
            apart, size = np.abs(graph[output] - tower[output]).max(), np.abs(graph[output]).max()
            print(f"{name:12} {output:18} largest value {size:7.3f}, largest difference {apart:.1e}")
            worst = max(worst, apart)
    if arguments.reference:
        tensors = {"pixel_values": np.concatenate(list(pixels.values())),
                   **{output: np.concatenate([graph[output] for graph in theirs]) for output in OUTPUTS}}
        checkpoint.write_file(arguments.reference, [
            (name, "F32", tensors[name].shape, [np.ascontiguousarray(tensors[name]).tobytes()])
            for name in sorted(tensors)])
    print(f"largest difference {worst:.1e}, at most {NEAR:g} is allowed")
    return int(worst > NEAR)


if __name__ == "__main__":
    sys.exit(main())
