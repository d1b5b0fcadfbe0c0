extension Pattern.Node {
  /// Whether it can match the empty string.
  var canBeEmpty: Bool {
    switch self {
    case .set: false
    case .sequence(let nodes): nodes.allSatisfy(\.canBeEmpty)
    case .alternatives(let nodes): nodes.contains(where: \.canBeEmpty)
    case .repetition(let inner, let least, _, _): least == 0 || inner.canBeEmpty
    case .lookAhead, .anchor: true
    }
  }

  /// Approximate number of instructions or table states. A floating-point number, since nested counts multiply.
  var size: Double {
    switch self {
    case .set, .anchor: 1
    case .sequence(let nodes): nodes.reduce(1) { $0 + $1.size }
    case .alternatives(let nodes): nodes.reduce(1) { $0 + $1.size + 2 }
    case .repetition(let inner, let least, let most, let mode):
      // A table stores every position behind a possessive repetition.
      (inner.size + 1) * Double(most == .max ? least + 1 : most) + (mode == .possessive ? 15 : 0)
    case .lookAhead(let inner, _): inner.size + 1
    }
  }
}
