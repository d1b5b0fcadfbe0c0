import Checkpoints
import Testing

@Suite("Parts make a whole tensor, or what is wrong with them is said") struct TensorCoverTests {
  typealias Box = (offsets: [Int], sizes: [Int])

  /// Divides a box at random places, as meshes of ranks do not.
  private func pieces(_ box: Box, _ depth: Int, _ random: inout some RandomNumberGenerator) -> [Box] {
    guard depth > 0, let axis = box.sizes.indices.filter({ box.sizes[$0] > 1 }).randomElement(using: &random) else {
      return [box]
    }
    let at = Int.random(in: 1..<box.sizes[axis], using: &random)
    var (a, b) = (box, box)
    a.sizes[axis] = at
    b.sizes[axis] -= at
    b.offsets[axis] += at
    return pieces(a, depth - 1, &random) + pieces(b, depth - 1, &random)
  }

  @Test(arguments: 1...200) func atRandom(_ seed: Int) {
    var random = SystemRandomNumberGenerator()
    let shape = (0..<Int.random(in: 1...4, using: &random)).map { _ in Int.random(in: 1...9, using: &random) }
    let whole = (offsets: [Int](repeating: 0, count: shape.count), sizes: shape)
    var parts = pieces(whole, Int.random(in: 0...5, using: &random), &random).shuffled(using: &random)
    #expect(TensorCover.problem(parts, shape: shape) == nil, "\(parts)")
    let one = Int.random(in: parts.indices, using: &random)
    #expect(TensorCover.problem(parts + [parts[one]], shape: shape) == "overlap")
    let axis = Int.random(in: shape.indices, using: &random)
    var moved = parts
    moved[one].offsets[axis] += 1
    #expect(TensorCover.problem(moved, shape: shape) != nil)
    parts.remove(at: one)
    #expect(TensorCover.problem(parts, shape: shape)?.contains("missing") == true)
  }

  @Test func scalarsAndNothing() {
    #expect(TensorCover.problem([([], [])], shape: []) == nil)
    #expect(TensorCover.problem([([], []), ([], [])], shape: []) == "overlap")
    #expect(TensorCover.problem([], shape: [0, 3]) == nil)
    #expect(TensorCover.problem([], shape: [1]) != nil)
  }
}
