import Base

/// Named tensors, open for reading, in whatever container they are stored.
///
/// A new container is a folder beside `Safetensors/` with a type that conforms, and a line in `Containers.open`. It can
/// be the tuned side of `create` and either side of `diff`. Models that vpatch writes, and bases, are safetensors.
package protocol Checkpoint: Sendable {
  var path: String { get }
  /// Whether side files (config, tokenizer) are beside it in a folder.
  var isDirectory: Bool { get }
  /// In ascending order of the names' bytes.
  var tensors: [CheckpointTensor] { get }
  /// Size of all tensors in bytes: at most 2⁵³ − 1.
  var totalBytes: Int { get }
  /// Whether tensors that it lacks are unchanged: training saves those alone that it trains.
  var mayLackUnchanged: Bool { get }
  /// The files that are read.
  var inputs: [InputFile] { get }

  /// A tensor's bytes, for one thread.
  func source(of tensor: CheckpointTensor) -> any TensorSource
  /// Checks that no file was written to since it was opened.
  /// - Throws: `io` if one was.
  func requireSameBytes() throws
  /// The same, and the path still leads to this checkpoint.
  /// - Throws: `io`; `refused` while it is being switched.
  func requireStillThere() throws
  /// What a user has to know of files that are not read; nil if there are none.
  func warning() throws -> String?
}

/// A tensor in a checkpoint.
package struct CheckpointTensor: Sendable {
  package let info: TensorInfo
  /// Index among the container's files.
  package let file: Int
  /// Where its bytes begin in that file.
  package let offset: Int
  package var name: String { info.name }

  package init(info: TensorInfo, file: Int, offset: Int) {
    self.info = info
    self.file = file
    self.offset = offset
  }
}

extension Checkpoint {
  package var mayLackUnchanged: Bool { false }

  /// The tensor of that name; nil where there is none.
  package func tensor(named name: String) -> CheckpointTensor? { tensors.element(named: name, by: \.name) }
}
