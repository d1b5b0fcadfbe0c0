extension Pattern {
  enum Instruction: Sendable {
    case one(ScalarSet)
    /// Repeats greedily, giving back one at a time.
    case many(ScalarSet, Int, Int)
    /// Continues at the first; at the second if that fails.
    case split(Int, Int)
    case jump(Int)
    case lookAhead([Instruction], negative: Bool)
    /// Keeps its first match: no backtracking into it.
    case atomic([Instruction])
    case anchor(Anchor)
    case accept
  }

  static func compile(_ node: Node) -> [Instruction] {
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
    case .anchor(let anchor): program.append(.anchor(anchor))
    }
  }

  private static func split(_ inside: Int, _ outside: Int, _ mode: Mode) -> Instruction {
    mode == .lazy ? .split(outside, inside) : .split(inside, outside)
  }
}
