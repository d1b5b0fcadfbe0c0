import PatchFormat

/// A model as patches over it let it be seen, without writing it.
public struct ModelView: Sendable {
  public let checkpoint: Checkpoint
  public let steps: [PatchStep]

  public init(_ checkpoint: Checkpoint, _ steps: [PatchStep] = []) {
    self.checkpoint = checkpoint
    self.steps = steps
  }

  public var path: String { checkpoint.path }

  /// A tensor's bytes, for one thread; nil where there is no such tensor.
  public func source(_ name: String) -> (any TensorSource)? {
    source(name, over: checkpoint.tensor(named: name).map { StoredTensor($0, in: checkpoint) })
  }

  func source(_ name: String, over stored: (any TensorSource)?) -> (any TensorSource)? {
    var source = stored
    for step in steps {
      guard let tensor = step.patch.tensor(named: name), tensor.operation != .same else { continue }
      source = PatchedTensor(tensor, of: step.patch, over: source, step.direction)
    }
    return source
  }

  /// Where the tensors lie, and whether that is the last patch's own layout, to the byte.
  func layout() throws -> (FileLayout, isExact: Bool) {
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
