import Base
import Checkpoints
import PatchFormat

/// A LoRA adapter as PEFT saves it: a folder with `adapter_config.json` and `adapter_model.safetensors`.
package struct PEFTAdapter: Sendable {
  package static let weightsName = "adapter_model.safetensors"

  package let path: String
  package let config: PEFTConfig
  package let checkpoint: SafetensorsCheckpoint
  /// The text of `adapter_config.json`.
  let configText: [UInt8]
  let configFile: InputFile

  /// SHA-256 of the two files: who the adapter is, wherever it lies.
  package var configDigest: ContentDigest { SHA256Hasher.hash(configText) }
  package var weightsDigest: ContentDigest { get throws { try checkpoint.files[0].input.digest() } }

  /// The files that are read.
  package var inputs: [InputFile] { checkpoint.inputs + [configFile] }

  /// Whether a folder looks like an adapter, and not like a model with an adapter beside it.
  package static func isOne(_ path: String) throws -> Bool {
    guard try PathKind.of(path) == .directory else { return false }
    func has(_ name: String) throws -> Bool { try PathKind.of(Path.join(path, name)) != .missing }
    if try has(SafetensorsCheckpoint.singleName) || has(SafetensorsCheckpoint.indexName) { return false }
    return try has(PEFTConfig.fileName) || has(weightsName)
  }

  /// - Throws: `refused` for an adapter whose change is not scale · B · A; `invalid`; `io`.
  package init(path: String) throws {
    self.path = path
    let configPath = Path.join(path, PEFTConfig.fileName)
    guard try PathKind.of(configPath) != .missing else {
      throw VPatchError(
        .invalid, path, "has no \(PEFTConfig.fileName), which has the scale of its change",
        remedy: "copy that file from the adapter's source")
    }
    configFile = try InputFile(path: configPath)
    configText = try configFile.contents(limit: 16 << 20)
    config = try PEFTConfig(JSON.parse(configText, file: configPath), configPath)
    let weights = Path.join(path, Self.weightsName)
    guard try PathKind.of(weights) != .missing else {
      let pickle = Path.join(path, "adapter_model.bin")
      guard try PathKind.of(pickle) == .missing else {
        throw VPatchError(
          .refused, pickle, FileForm.pickle.what, remedy: "save the adapter again with safe_serialization=True")
      }
      throw VPatchError(
        .invalid, path, "has no \(Self.weightsName)", remedy: "copy that file from the adapter's source")
    }
    checkpoint = try SafetensorsCheckpoint(path: weights)
  }

  /// The factors of a tensor's change, read from the file.
  /// - Parameter rule: its views refer to `checkpoint.tensors`.
  func factors(_ rule: LowRank, of tensor: TensorInfo) throws -> Factors {
    func factor(_ view: LowRank.View) throws -> Factors.Factor {
      try Factors.Factor(checkpoint.source(of: checkpoint.tensors[view.tensor]))
    }
    return Factors(rule, of: tensor, u: try factor(rule.u), v: try factor(rule.v))
  }

  /// - Throws: `io` if a file was written to since it was opened.
  func requireSameBytes() throws {
    try checkpoint.requireSameBytes()
    guard try configFile.isUnchanged() else { throw InputFile.changed(configFile.path) }
  }
}
