// A pickle is a program for a stack machine. Python's own machine can import and call anything, so a pickle can run any
// code. This one knows the instructions that PyTorch's files consist of and no others, knows the classes and functions
// that its caller lists and no others, and calls none of them.
//
// https://github.com/python/cpython/blob/3.13/Lib/pickletools.py describes the instructions.

import Base

/// Why bytes are not a pickle that vpatch reads.
package enum PickleError: Error, Equatable, CustomStringConvertible {
  /// The bytes end within the pickle.
  case ended
  case unknownInstruction(UInt8, at: Int)
  /// A class or function that PyTorch's files of weights do not need.
  case unknownGlobal(PickleGlobal)
  case malformed(String, at: Int)

  package var description: String {
    switch self {
    case .ended: "ends within its pickle: was it cut short?"
    case .unknownInstruction(let code, let position):
      "has the pickle instruction 0x\(String(code, radix: 16)) at byte \(position), which files of weights do not need"
    case .unknownGlobal(let global): "needs \(global), which vpatch does not know and does not run"
    case .malformed(let reason, let position): "is not a valid pickle: \(reason) at byte \(position)"
    }
  }
}

/// Reads one pickle.
struct PickleMachine {
  private let bytes: UnsafeRawBufferPointer
  private(set) var position: Int
  private let known: Set<PickleGlobal>
  private let graph = PickleGraph()
  private var stack: [Int] = []
  /// The heights of the stack at which marks were set.
  private var marks: [Int] = []
  private var memo: [Int: Int] = [:]
  private var globals: [PickleGlobal: Int] = [:]
  private var smallInts: [Int: Int] = [:]

  /// - Parameter known: the classes and functions that may occur.
  init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0, knowing known: Set<PickleGlobal>) {
    self.bytes = bytes
    self.position = position
    self.known = known
  }

  /// The value of the pickle. The position is then behind it.
  /// - Throws: `PickleError`.
  mutating func run() throws(PickleError) -> PickleValue {
    while true {
      let start = position
      guard let code = Instruction(rawValue: try byte()) else {
        throw .unknownInstruction(bytes[start], at: start)
      }
      if code == .stop { break }
      try perform(code)
    }
    guard stack.count == 1, marks.isEmpty else { throw malformed("it ends with \(stack.count) values") }
    return PickleValue(graph: graph, index: stack[0])
  }

  private enum Instruction: UInt8 {
    case mark = 0x28
    case stop = 0x2E
    case none = 0x4E
    case newTrue = 0x88
    case newFalse = 0x89
    case binInt = 0x4A
    case binInt1 = 0x4B
    case binInt2 = 0x4D
    case long1 = 0x8A
    case binFloat = 0x47
    case binUnicode = 0x58
    case shortBinUnicode = 0x8C
    case emptyTuple = 0x29
    case tuple = 0x74
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case emptyList = 0x5D
    case append = 0x61
    case appends = 0x65
    case emptyDict = 0x7D
    case setItem = 0x73
    case setItems = 0x75
    case global = 0x63
    case stackGlobal = 0x93
    case reduce = 0x52
    case newObject = 0x81
    case build = 0x62
    case binPersId = 0x51
    case binPut = 0x71
    case longBinPut = 0x72
    case memoize = 0x94
    case binGet = 0x68
    case longBinGet = 0x6A
    case proto = 0x80
    case frame = 0x95
  }

  private mutating func perform(_ code: Instruction) throws(PickleError) {
    switch code {
    case .stop: break
    case .proto:
      let version = try byte()
      guard version <= 5 else { throw malformed("protocol \(version)") }
    // A frame says how many bytes may be read at once; it has no meaning.
    case .frame: _ = try take(8)
    case .mark: marks.append(stack.count)
    case .none: push(.none)
    case .newTrue: push(.bool(true))
    case .newFalse: push(.bool(false))
    case .binInt: pushInt(Int(Int32(truncatingIfNeeded: try unsigned(4))))
    case .binInt1: pushInt(try unsigned(1))
    case .binInt2: pushInt(try unsigned(2))
    case .long1: try pushLong(try unsigned(1))
    case .binFloat: push(.float(Double(bitPattern: try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })))
    case .binUnicode: try pushString(try unsigned(4))
    case .shortBinUnicode: try pushString(try unsigned(1))
    case .emptyTuple: pushTuple([])
    case .tuple: pushTuple(try popToMark())
    case .tuple1: pushTuple(try pop(1))
    case .tuple2: pushTuple(try pop(2))
    case .tuple3: pushTuple(try pop(3))
    case .emptyList:
      graph.lists.append([])
      push(.list(graph.lists.count - 1))
    case .append:
      let items = try pop(1)
      try extend(items)
    case .appends:
      let items = try popToMark()
      try extend(items)
    case .emptyDict: pushDictionary()
    case .setItem:
      let items = try pop(2)
      try setItems(items)
    case .setItems:
      let items = try popToMark()
      try setItems(items)
    case .global: try pushGlobal(PickleGlobal(try line(), try line()))
    case .stackGlobal:
      let names = try pop(2).map { PickleValue(graph: graph, index: $0).string }
      guard let module = names[0], let name = names[1] else { throw malformed("a class without a name") }
      try pushGlobal(PickleGlobal(module, name))
    case .reduce, .newObject: try call()
    case .build:
      let state = try pop(1)[0]
      try setState(state, of: try top())
    case .binPersId: push(.persistent(try pop(1)[0]))
    case .binPut: memo[try unsigned(1)] = try top()
    case .longBinPut: memo[try unsigned(4)] = try top()
    case .memoize: memo[memo.count] = try top()
    case .binGet: try pushMemo(try unsigned(1))
    case .longBinGet: try pushMemo(try unsigned(4))
    }
  }

  // MARK: Bytes

  private func malformed(_ reason: String) -> PickleError { .malformed(reason, at: position) }

  private mutating func take(_ count: Int) throws(PickleError) -> UnsafeRawBufferPointer {
    guard count <= bytes.count - position else { throw .ended }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  private mutating func byte() throws(PickleError) -> UInt8 { try take(1)[0] }

  /// Little-endian.
  private mutating func unsigned(_ count: Int) throws(PickleError) -> Int {
    try take(count).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  private mutating func line() throws(PickleError) -> String {
    let start = position
    while try byte() != 0x0A {}
    return try text(UnsafeRawBufferPointer(rebasing: bytes[start..<position - 1]))
  }

  private func text(_ bytes: UnsafeRawBufferPointer) throws(PickleError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw malformed("a string that is not UTF-8") }
    return text
  }

  // MARK: Stack

  private mutating func push(_ node: PickleGraph.Node) { stack.append(graph.add(node)) }

  private func top() throws(PickleError) -> Int {
    guard let top = stack.last, stack.count > marks.last ?? 0 else { throw malformed("an empty stack") }
    return top
  }

  private mutating func pop(_ count: Int) throws(PickleError) -> [Int] {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("an empty stack") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(PickleError) -> [Int] {
    guard let mark = marks.popLast() else { throw malformed("no mark on the stack") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private mutating func pushInt(_ value: Int) {
    // Most integers are sizes and offsets that occur many times.
    let index = smallInts[value] ?? graph.add(.int(value))
    if smallInts.count < 4096 { smallInts[value] = index }
    stack.append(index)
  }

  private mutating func pushLong(_ count: Int) throws(PickleError) {
    let digits = try take(count)
    guard count > 8 else {
      let isNegative = digits.last.map { $0 >= 0x80 } ?? false
      return pushInt(digits.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) })
    }
    graph.longInts.append(Array(digits))
    push(.longInt(graph.longInts.count - 1))
  }

  private mutating func pushString(_ count: Int) throws(PickleError) {
    graph.strings.append(try text(take(count)))
    push(.string(graph.strings.count - 1))
  }

  private mutating func pushTuple(_ items: [Int]) {
    let start = graph.elements.count
    graph.elements += items
    push(.tuple(start: start, count: items.count))
  }

  private mutating func pushDictionary() {
    graph.dictionaries.append([])
    push(.dictionary(graph.dictionaries.count - 1))
  }

  private mutating func pushMemo(_ key: Int) throws(PickleError) {
    guard let index = memo[key] else { throw malformed("a reference to a value that was not stored") }
    stack.append(index)
  }

  // MARK: Containers and objects

  private func extend(_ items: [Int]) throws(PickleError) {
    guard case .list(let list) = graph.nodes[try top()] else { throw malformed("items for what is no list") }
    graph.lists[list] += items
  }

  private func setItems(_ items: [Int]) throws(PickleError) {
    guard case .dictionary(let dictionary) = graph.nodes[try top()], items.count % 2 == 0 else {
      throw malformed("items for what is no dictionary")
    }
    for i in stride(from: 0, to: items.count, by: 2) {
      graph.dictionaries[dictionary].append((items[i], items[i + 1]))
    }
  }

  private mutating func pushGlobal(_ global: PickleGlobal) throws(PickleError) {
    guard known.contains(global) else { throw .unknownGlobal(global) }
    if let index = globals[global] { return stack.append(index) }
    graph.globals.append(global)
    push(.global(graph.globals.count - 1))
    globals[global] = stack.last
  }

  private static let orderedDictionary = PickleGlobal("collections", "OrderedDict")

  private mutating func call() throws(PickleError) {
    let parts = try pop(2)
    guard let function = PickleValue(graph: graph, index: parts[0]).global,
      let arguments = PickleValue(graph: graph, index: parts[1]).tuple
    else { throw malformed("a call of what is no class or function") }
    // An ordered dictionary is filled like any other.
    if function == Self.orderedDictionary {
      guard arguments.isEmpty else { throw malformed("an OrderedDict with arguments") }
      return pushDictionary()
    }
    push(.call(function: parts[0], arguments: parts[1]))
  }

  private func setState(_ state: Int, of object: Int) throws(PickleError) {
    switch graph.nodes[object] {
    // Attributes of an ordered dictionary, such as the versions of modules in a state dict, are of no use here.
    case .dictionary: break
    case .call:
      guard graph.states.updateValue(state, forKey: object) == nil else { throw malformed("a second state") }
    default: throw malformed("a state for what is no object")
    }
  }
}
