import PatchFormat

extension TensorOperation {
  /// What a patch does to a tensor, as a verb.
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
