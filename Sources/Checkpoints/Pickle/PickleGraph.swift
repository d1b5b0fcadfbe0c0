/// What a pickle describes, as a graph of plain values. Nothing is executed: a call of a Python function is a value too.
///
/// The values lie in one array and refer to each other by index. So neither a cycle nor a nesting of any depth costs
/// more than its bytes in the file, and no reader follows references further than it has to.
package final class PickleGraph {
  enum Node {
    case none
    case bool(Bool)
    case int(Int)
    /// An integer of more than 63 bits: little-endian, two's complement.
    case longInt(Int)
    case float(Double)
    /// Indexes into `strings`, `lists`, `dictionaries`.
    case string(Int)
    case list(Int)
    case dictionary(Int)
    /// A range of `elements`.
    case tuple(start: Int, count: Int)
    /// A class or a function, by its index in `globals`.
    case global(Int)
    /// A function or class, and what it is called with.
    case call(function: Int, arguments: Int)
    /// What the pickle keeps outside itself, such as a tensor's bytes.
    case persistent(Int)
  }

  private(set) var nodes: [Node] = []
  var strings: [String] = []
  var longInts: [[UInt8]] = []
  var lists: [[Int]] = []
  var dictionaries: [[(key: Int, value: Int)]] = []
  var elements: [Int] = []
  var globals: [PickleGlobal] = []
  /// The state that was given to an object, by the index of its call.
  var states: [Int: Int] = [:]

  func add(_ node: Node) -> Int {
    nodes.append(node)
    return nodes.count - 1
  }
}

/// A class or a function that a pickle names.
package struct PickleGlobal: Hashable, Sendable, CustomStringConvertible {
  package let module: String
  package let name: String

  package init(_ module: String, _ name: String) {
    self.module = module
    self.name = name
  }

  package var description: String { "\(module).\(name)" }
}

/// A value in a pickle, as its reader expects it: each property is nil for a value of another kind.
package struct PickleValue {
  let graph: PickleGraph
  let index: Int

  private func value(_ index: Int) -> PickleValue { PickleValue(graph: graph, index: index) }

  package var isNone: Bool {
    if case .none = graph.nodes[index] { return true }
    return false
  }

  package var bool: Bool? {
    if case .bool(let value) = graph.nodes[index] { return value }
    return nil
  }

  package var int: Int? {
    if case .int(let value) = graph.nodes[index] { return value }
    return nil
  }

  /// The bytes of an integer that has more than 63 bits.
  package var longInt: [UInt8]? {
    if case .longInt(let index) = graph.nodes[index] { return graph.longInts[index] }
    return nil
  }

  package var string: String? {
    if case .string(let index) = graph.nodes[index] { return graph.strings[index] }
    return nil
  }

  package var tuple: [PickleValue]? {
    guard case .tuple(let start, let count) = graph.nodes[index] else { return nil }
    return graph.elements[start..<start + count].map(value)
  }

  package var list: [PickleValue]? {
    if case .list(let index) = graph.nodes[index] { return graph.lists[index].map(value) }
    return nil
  }

  /// In the order of the file.
  package var dictionary: [(key: PickleValue, value: PickleValue)]? {
    guard case .dictionary(let index) = graph.nodes[index] else { return nil }
    return graph.dictionaries[index].map { (value($0.key), value($0.value)) }
  }

  package var global: PickleGlobal? {
    if case .global(let index) = graph.nodes[index] { return graph.globals[index] }
    return nil
  }

  /// A call's function and its arguments.
  package var call: (function: PickleGlobal, arguments: [PickleValue])? {
    guard case .call(let function, let arguments) = graph.nodes[index] else { return nil }
    return value(function).global.flatMap { global in value(arguments).tuple.map { (global, $0) } }
  }

  /// The state that was given to an object of this class; nil for others.
  package func state(of global: PickleGlobal) -> PickleValue? {
    guard let call, call.function == global, call.arguments.isEmpty else { return nil }
    return graph.states[index].map(value)
  }

  /// The identifier of what the pickle keeps outside itself.
  package var persistent: PickleValue? {
    if case .persistent(let index) = graph.nodes[index] { return value(index) }
    return nil
  }

  /// The identifiers of all that the pickle keeps outside itself.
  package var allPersistent: [PickleValue] {
    graph.nodes.compactMap { node in
      if case .persistent(let index) = node { return value(index) }
      return nil
    }
  }

  /// What it is, for an error's text: "a dictionary", "torch.Size(…)".
  package var kind: String {
    switch graph.nodes[index] {
    case .none: "None"
    case .bool: "a bool"
    case .int, .longInt: "an integer"
    case .float: "a float"
    case .string: "a string"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .tuple: "a tuple"
    case .global(let index): graph.globals[index].description
    case .call(let function, _): "\(value(function).kind)(…)"
    case .persistent: "a reference to data"
    }
  }
}
