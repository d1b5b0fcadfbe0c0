/// Runs a pattern's instructions with backtracking, for a limited number of steps.
struct Backtracking {
  private let text: UnsafeBufferPointer<Unicode.Scalar>
  private var stepsLeft: Int
  private var choices: [Choice] = []

  /// Maximum number of stored choices: 200 MB.
  private static let maximumChoices = 1 << 23

  /// Where to continue when a match attempt fails: at `position`, then at each earlier one down to `least`.
  private struct Choice {
    let instruction: Int
    var position: Int
    let least: Int
  }

  init(_ text: UnsafeBufferPointer<Unicode.Scalar>, steps: Int) {
    self.text = text
    stepsLeft = steps
  }

  /// Whether the step limit was reached. The result is then not valid.
  var isExhausted: Bool { stepsLeft < 0 }

  /// - Returns: the end of the match that starts at `start`; nil for no match.
  mutating func run(_ program: [Pattern.Instruction], from start: Int) -> Int? {
    let bottom = choices.count
    defer { choices.removeSubrange(bottom...) }
    var (next, position) = (0, start)
    while true {
      stepsLeft -= 1
      guard stepsLeft >= 0 else { return nil }
      var holds = true
      switch program[next] {
      case .one(let set):
        holds = position < text.count && set.contains(text[position])
        if holds { (next, position) = (next + 1, position + 1) }
      case .many(let set, let least, let most):
        let start = position
        let end = most < text.count - position ? position + most : text.count
        let floor = position + least
        while position < end, set.contains(text[position]) { position += 1 }
        stepsLeft -= position - start
        holds = position >= floor
        next += 1
        if holds, position > floor { choose(Choice(instruction: next, position: position - 1, least: floor)) }
      case .split(let first, let second):
        choose(Choice(instruction: second, position: position, least: position))
        next = first
      case .jump(let target): next = target
      case .lookAhead(let inner, let negative):
        holds = (run(inner, from: position) != nil) != negative
        next += 1
      case .atomic(let inner):
        let end = run(inner, from: position)
        holds = end != nil
        (next, position) = (next + 1, end ?? position)
      case .anchor(let anchor):
        holds = anchor.holds(at: position, in: text)
        next += 1
      case .accept: return position
      }
      if holds { continue }
      guard choices.count > bottom else { return nil }
      let choice = choices[choices.count - 1]
      (next, position) = (choice.instruction, choice.position)
      if choice.position > choice.least {
        choices[choices.count - 1].position -= 1
      } else {
        choices.removeLast()
      }
    }
  }

  private mutating func choose(_ choice: Choice) {
    if choices.count >= Self.maximumChoices { stepsLeft = 0 }
    choices.append(choice)
  }
}
