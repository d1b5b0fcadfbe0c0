extension Pattern.Node {
  /// Whether it may match without taking a character.
  var canBeEmpty: Bool {
    switch self {
    case .set: false
    case .sequence(let nodes): nodes.allSatisfy(\.canBeEmpty)
    case .alternatives(let nodes): nodes.contains(where: \.canBeEmpty)
    case .repetition(let inner, let least, _, _): least == 0 || inner.canBeEmpty
    case .lookAhead, .anchor: true
    }
  }

  /// How many instructions, or states of a table, it becomes, about. A float: counts inside counts multiply.
  var size: Double {
    switch self {
    case .set, .anchor: 1
    case .sequence(let nodes): nodes.reduce(1) { $0 + $1.size }
    case .alternatives(let nodes): nodes.reduce(1) { $0 + $1.size + 2 }
    case .repetition(let inner, let least, let most, let mode):
      // A table remembers every position behind what is possessive.
      (inner.size + 1) * Double(most == .max ? least + 1 : most) + (mode == .possessive ? 15 : 0)
    case .lookAhead(let inner, _): inner.size + 1
    }
  }
}
