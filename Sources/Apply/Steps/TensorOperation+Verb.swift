import PatchFormat

extension TensorOperation {
  /// The operation as a verb.
  package var verb: String {
    switch self {
    case .same: "leaves"
    case .change: "changes"
    case .rows: "adds or removes rows of"
    case .add: "adds"
    case .remove: "removes"
    case .replace: "replaces"
    }
  }
}
