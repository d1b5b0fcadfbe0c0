import Base
import Checkpoints
import PatchFormat

/// A model with patches applied in memory, without writing it.
package struct ModelView: Sendable {
  package let checkpoint: SafetensorsCheckpoint
  package let steps: [PatchStep]

  package init(_ checkpoint: SafetensorsCheckpoint, _ steps: [PatchStep] = []) {
    self.checkpoint = checkpoint
    self.steps = steps
  }

  package var path: String { checkpoint.path }

  /// The files beside the weights with the patches applied. Files that the patches may not change stay as they are.
  /// - Throws: like `SideFileChanges`.
  package func folder() throws -> ModelFolder {
    let changes = try SideFileChanges(checkpoint, steps)
    return ModelFolder(path, made: changes.replaced.map { ($0.name, $0.contents) })
  }

  /// Files that the patches would change, but that do not match the patches' base. They are kept.
  package func sideFilesKept() throws -> [String] { try SideFileChanges(checkpoint, steps).kept }

  /// Tensors that the patches add to the checkpoint.
  package var added: [TensorInfo] {
    var names: [String: String] = [:]
    for step in steps {
      for tensor in step.patch.header.touched where checkpoint.tensor(named: tensor.name) == nil {
        names[tensor.name.bytesKey] = tensor.name
      }
    }
    return names.values.sorted { $0.precedes($1) }.compactMap { source($0)?.info }
  }

  /// A tensor's bytes, for one thread; nil where there is no such tensor.
  package func source(_ name: String) -> (any TensorSource)? {
    source(name, over: checkpoint.tensor(named: name).map { StoredTensor($0, in: checkpoint) })
  }

  /// Sources for several passes over a tensor: each call of the result returns a new one. If the bytes must be decoded,
  /// and the tensor is not too large, it is decoded once and kept in memory as long as the result. Other tensors are
  /// not kept.
  /// - Parameter threads: how many threads do so at once. Together they keep at most 192 MiB.
  func repeatable(_ name: String, threads: Int) throws -> (String) -> (any TensorSource)? {
    let isDecoded = steps.contains { $0.patch.tensor(named: name).map { $0.operation != .same } ?? false }
    guard isDecoded, let source = source(name), source.info.byteCount <= (192 << 20) / threads else {
      return { self.source($0) }
    }
    let held = try HeldTensor(source)
    return { $0.isSame(as: name) ? held : self.source($0) }
  }

  package func source(_ name: String, over stored: (any TensorSource)?) -> (any TensorSource)? {
    source(name, over: stored, after: steps.count)
  }

  /// A tensor after the first steps.
  private func source(_ name: String, over stored: (any TensorSource)?, after count: Int) -> (any TensorSource)? {
    var source = stored
    for (i, step) in steps[..<count].enumerated() {
      guard let tensor = step.patch.tensor(named: name), tensor.operation != .same else { continue }
      let own = source
      source = PatchedTensor(tensor, of: step.patch, step.direction) { other in
        if other.isSame(as: name) { return own }
        let stored = checkpoint.tensor(named: other).map { StoredTensor($0, in: checkpoint) }
        return self.source(other, over: stored, after: i)
      }
    }
    return source
  }

  /// The layout of the files, and whether it is byte for byte the last patch's own.
  package func layout() throws -> (FileLayout, isExact: Bool) {
    var layout = try FileLayout(of: checkpoint).unstamped(path: checkpoint.path)
    var isExact = true
    for step in steps {
      let fits = checkpoint.isDirectory || step.outputLayout.files.count == 1
      if isExact, fits, layout.hasSameFiles(as: step.inputLayout) {
        layout = step.outputLayout
      } else {
        isExact = false
        layout = try layout.adapted(to: step.layoutChanges, path: checkpoint.path)
      }
    }
    return (layout, isExact)
  }
}

/// A tensor in memory. Several threads can read it.
private final class HeldTensor: TensorSource {
  let info: TensorInfo
  private let bytes: [UInt8]

  init(_ source: any TensorSource) throws {
    info = source.info
    bytes = try source.bytes()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
    bytes.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + buffer.count]))
    }
  }
}
