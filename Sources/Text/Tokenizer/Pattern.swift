/// A regular expression of a tokenizer.json.
///
/// The regular expressions that split text into words use few constructs: classes, categories, greedy repetition,
/// alternatives, one look ahead. These are matched here as Oniguruma does (Hugging Face's engine), by backtracking;
/// every other construct is refused when the file is read, so none can be matched differently.
struct Pattern: Sendable {
  indirect enum Node: Sendable, Equatable {
    case set(ScalarSet)
    case sequence([Node])
    /// The first that lets the rest match wins.
    case alternatives([Node])
    case repetition(Node, Int, Int, Mode)
    /// Whether what follows is, or is not, that.
    case lookAhead(Node, negative: Bool)
    /// Before a line feed, or at the end of the text.
    case endOfLine
  }

  enum Mode: Sendable { case greedy, lazy, possessive }

  enum Instruction: Sendable {
    case one(ScalarSet)
    /// As many as there are, giving back one at a time.
    case many(ScalarSet, Int, Int)
    /// Goes on at the first; at the second if that fails.
    case split(Int, Int)
    case jump(Int)
    case lookAhead([Instruction], negative: Bool)
    /// What it matched first is kept.
    case atomic([Instruction])
    case endOfLine
    case accept
  }

  private let program: [Instruction]

  /// - Throws: `PatternError` naming what is not supported or not valid.
  init(_ text: String) throws {
    var parser = PatternParser(text)
    let node = try parser.pattern()
    guard node.minimumLength > 0 else { throw PatternError("matches nothing at all") }
    // Counts inside counts multiply.
    guard node.size <= 10_000 else { throw PatternError("is too large") }
    program = Self.compile(node)
  }

  /// The matches in a text, from left to right, without overlap.
  func matches(in text: UnsafeBufferPointer<Unicode.Scalar>) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var stack: [Frame] = []
    var start = 0
    while start < text.count {
      if let end = Self.run(program, text, from: start, &stack) {
        matches.append(start..<end)
        start = end
      } else {
        start += 1
      }
    }
    return matches
  }

  // MARK: Compiling

  private static func compile(_ node: Node) -> [Instruction] {
    var program: [Instruction] = []
    emit(node, into: &program)
    program.append(.accept)
    return program
  }

  private static func emit(_ node: Node, into program: inout [Instruction]) {
    switch node {
    case .set(let set): program.append(.one(set))
    case .sequence(let nodes): for node in nodes { emit(node, into: &program) }
    case .alternatives(let nodes):
      var jumps: [Int] = []
      for node in nodes.dropLast() {
        let split = program.count
        program.append(.accept)
        emit(node, into: &program)
        jumps.append(program.count)
        program.append(.accept)
        program[split] = .split(split + 1, program.count)
      }
      emit(nodes.last!, into: &program)
      for jump in jumps { program[jump] = .jump(program.count) }
    case .repetition(let inner, let least, let most, .possessive):
      program.append(.atomic(compile(.repetition(inner, least, most, .greedy))))
    case .repetition(.set(let set), let least, let most, .greedy):
      program.append(.many(set, least, most))
    case .repetition(let inner, let least, let most, let mode):
      for _ in 0..<least { emit(inner, into: &program) }
      if most == .max {
        let split = program.count
        program.append(.accept)
        emit(inner, into: &program)
        program.append(.jump(split))
        program[split] = Self.split(split + 1, program.count, mode)
      } else {
        var splits: [Int] = []
        for _ in least..<most {
          splits.append(program.count)
          program.append(.accept)
          emit(inner, into: &program)
        }
        for split in splits { program[split] = Self.split(split + 1, program.count, mode) }
      }
    case .lookAhead(let inner, let negative): program.append(.lookAhead(compile(inner), negative: negative))
    case .endOfLine: program.append(.endOfLine)
    }
  }

  private static func split(_ inside: Int, _ outside: Int, _ mode: Mode) -> Instruction {
    mode == .lazy ? .split(outside, inside) : .split(inside, outside)
  }

  // MARK: Matching

  /// Where to go on when what was tried fails: at `position`, then at each one before it down to `least`.
  struct Frame {
    let instruction: Int
    var position: Int
    let least: Int
  }

  /// - Returns: where the match that starts there ends.
  private static func run(
    _ program: [Instruction], _ text: UnsafeBufferPointer<Unicode.Scalar>, from start: Int, _ stack: inout [Frame]
  ) -> Int? {
    let bottom = stack.count
    defer { stack.removeSubrange(bottom...) }
    var (next, position) = (0, start)
    while true {
      var holds = true
      switch program[next] {
      case .one(let set):
        holds = position < text.count && set.contains(text[position])
        if holds { (next, position) = (next + 1, position + 1) }
      case .many(let set, let least, let most):
        let end = most < text.count - position ? position + most : text.count
        let floor = position + least
        while position < end, set.contains(text[position]) { position += 1 }
        holds = position >= floor
        next += 1
        if holds, position > floor { stack.append(Frame(instruction: next, position: position - 1, least: floor)) }
      case .split(let first, let second):
        stack.append(Frame(instruction: second, position: position, least: position))
        next = first
      case .jump(let target): next = target
      case .lookAhead(let inner, let negative):
        holds = (run(inner, text, from: position, &stack) != nil) != negative
        next += 1
      case .atomic(let inner):
        let end = run(inner, text, from: position, &stack)
        holds = end != nil
        (next, position) = (next + 1, end ?? position)
      case .endOfLine:
        holds = position == text.count || text[position] == "\n"
        next += 1
      case .accept: return position
      }
      if holds { continue }
      guard stack.count > bottom else { return nil }
      let frame = stack[stack.count - 1]
      (next, position) = (frame.instruction, frame.position)
      if frame.position > frame.least {
        stack[stack.count - 1].position -= 1
      } else {
        stack.removeLast()
      }
    }
  }
}

extension Pattern.Node {
  /// How many characters it matches at least.
  var minimumLength: Int {
    switch self {
    case .set: 1
    case .sequence(let nodes): nodes.reduce(0) { $0 + $1.minimumLength }
    case .alternatives(let nodes): nodes.map(\.minimumLength).min() ?? 0
    case .repetition(let inner, let least, _, _): least * inner.minimumLength
    case .lookAhead, .endOfLine: 0
    }
  }
}

extension Pattern.Node {
  /// How many instructions it becomes, about.
  fileprivate var size: Double {
    switch self {
    case .set, .endOfLine: 1
    case .sequence(let nodes): nodes.reduce(1) { $0 + $1.size }
    case .alternatives(let nodes): nodes.reduce(1) { $0 + $1.size + 2 }
    case .repetition(let inner, let least, let most, _): (inner.size + 1) * Double(most == .max ? least + 1 : most)
    case .lookAhead(let inner, _): inner.size + 1
    }
  }
}

/// Why a regular expression cannot be used.
struct PatternError: Error, Equatable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}
