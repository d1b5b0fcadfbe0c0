import Base
import Checkpoints
import Foundation
import Testing

@Suite("What is no checkpoint is named for what it is") struct OtherFormTests {
  let scratch = Scratch()

  private func write(_ name: String, _ bytes: [UInt8]) throws {
    try FileManager.default.createDirectory(atPath: Path.parent(scratch.file(name)), withIntermediateDirectories: true)
    scratch.write(bytes, as: name)
  }

  private func error(_ name: String) throws -> VPatchError {
    try #require(throws: VPatchError.self) { try SafetensorsCheckpoint(path: scratch.file(name)) }
  }

  static let files: [(name: String, head: [UInt8], words: String)] = [
    ("a.gguf", Array("GGUF".utf8) + [3, 0, 0, 0], "is a GGUF file"),
    ("a.bin", [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46], "a pickle"),
    (
      "a.pt", Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 26) + Array("archive/data.pkl".utf8), "a pickle"
    ),
    ("a.npz", Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 26) + Array("w.npy".utf8), "a NumPy file"),
    ("a.npy", [0x93] + Array("NUMPY".utf8) + [1, 0], "a NumPy file"),
    ("tf_model.h5", [0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A], "an HDF5 file"),
    ("flax_model.msgpack", [UInt8](repeating: 0xDE, count: 20), "a msgpack file"),
    ("a.onnx", [UInt8](repeating: 0x88, count: 20), "an ONNX file"),
    ("a.safetensors", Array("version https://git-lfs.github.com/spec/v1\n".utf8), "a Git LFS pointer"),
    ("b.safetensors", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0], "a compressed file"),
    ("c.safetensors", Array("<!DOCTYPE html><html>".utf8), "a web page"),
    ("model.safetensors.index.json", Array("{\"weight_map\": {}}".utf8), "a JSON file"),
  ]

  @Test(arguments: files) func file(name: String, head: [UInt8], words: String) throws {
    for path in [name, "renamed-\(name)"] {
      scratch.write(head, as: path)
      let error = try error(path)
      #expect(error.code == .invalid && error.reason.contains(words) && error.remedy != nil, "\(error)")
    }
  }

  static let folders: [(names: [String], words: String)] = [
    (["adapter_config.json", "adapter_model.safetensors"], "is a PEFT adapter"),
    (["adapter_model.safetensors"], "is a PEFT adapter"),
    (["adapter_config.json", "adapter_model.bin"], "a PEFT adapter"),
    (["config.json", "pytorch_model.bin"], "has weights, but not in safetensors form: pytorch_model.bin"),
    (["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"], "not in safetensors form"),
    (["consolidated.00.pth"], "not in safetensors form"), (["model-Q4_K_M.gguf"], "is a GGUF file"),
    (["tf_model.h5"], "an HDF5 file"), (["flax_model.msgpack"], "a msgpack file"),
    ([".metadata", "__0_0.distcp"], "a checkpoint of torch.distributed"),
    (["pytorch_model_fsdp_0/.metadata", "optimizer_0/.metadata"], "a checkpoint of torch.distributed"),
    (["zero_to_fp32.py", "global_step10/mp_rank_00_model_states.pt"], "a DeepSpeed checkpoint"),
    (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], "and no model.safetensors.index.json"),
    (["checkpoint-10/model.safetensors", "checkpoint-20/model.safetensors"], "checkpoint-10, checkpoint-20"),
    (["snapshots/abc/model.safetensors.index.json", "refs/main"], "folders that do: abc"),
    (["unet.safetensors"], "without model.safetensors.index.json"),
    (["notes.txt"], "without model.safetensors.index.json"),
    (["optimizer.pt", "training_args.bin"], "without model.safetensors.index.json"),
  ]

  @Test(arguments: folders) func folder(names: [String], words: String) throws {
    for name in names { try write("m/\(name)", []) }
    let error = try error("m")
    #expect(error.code == .invalid && error.reason.contains(words) && error.remedy != nil, "\(error)")
  }

  @Test("an adapter's config says of what it is; one that is damaged says nothing") func adapterConfig() throws {
    let text = #"{"peft_type": "LORA", "base_model_name_or_path": "org/model"}"#
    try write("m/adapter_config.json", Array(text.utf8))
    #expect(try error("m").reason == "is a PEFT adapter (LORA, of org/model), not a model")
    try write("n/adapter_config.json", [0x7B])
    #expect(try error("n").reason == "is a PEFT adapter, not a model")
  }
}
