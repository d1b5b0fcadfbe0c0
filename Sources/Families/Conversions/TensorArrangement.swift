import Checkpoints

/// How the elements of some tensors of the hub's layout lie in the runtime layout.
package struct TensorArrangement: Hashable, Sendable {
  /// The hub has a tensor for each expert, the runtime stacks them on a first axis.
  let isStacked: Bool
  /// Several tensors are joined along this axis of the whole one.
  let joined: Int?
  /// Whether the joined parts are of equal size.
  let isEven: Bool
  /// The last two axes are exchanged.
  let isTransposed: Bool
  /// The hub has pairs along this axis, the runtime halves.
  let deinterleaved: Int?
  /// Rotary embedding: the hub has the pairs of each head side by side, the runtime has halves.
  let rotary: Rotary?

  struct Rotary: Hashable, Sendable {
    /// The part of the config that has the number of heads; empty for the config itself.
    let config: String
    /// Which runtime tensors; empty for all.
    let only: [Int]
  }

  /// - Parameter words: `stack`, `join1` (`split0` for parts of any size), `transpose`, `deinterleave0`, `rope(vision_config)q_proj,k_proj`; `shares`
  ///   changes nothing, since several runtime tensors of a stack always get equal shares.
  init(_ words: [String], runtime: [String]) {
    func number(_ starts: [String]) -> Int? {
      words.lazy.compactMap { word in starts.first(where: word.hasPrefix).flatMap { Int(word.dropFirst($0.count)) } }
        .first
    }
    isStacked = words.contains("stack")
    joined = number(["join", "split"])
    isEven = !words.contains { $0.hasPrefix("split") }
    isTransposed = words.contains("transpose")
    deinterleaved = number(["deinterleave"])
    rotary = words.first { $0.hasPrefix("rope(") }.map { word in
      let halves = word.dropFirst("rope(".count).split(separator: ")", omittingEmptySubsequences: false)
      let names = halves[1].split(separator: ",")
      return Rotary(
        config: String(halves[0]),
        only: runtime.indices.filter { i in names.contains { runtime[i].contains($0) } })
    }
  }

  /// The same elements in a tensor of each layout.
  struct Link {
    let hub: Int
    let runtime: Int
    let hubBox: TensorBox
    let runtimeBox: TensorBox
  }

  /// All elements of both sides, once each; nil where the shapes do not fit.
  /// - Parameters:
  ///   - hub: the shapes by pattern, each with those of its experts. In links they are counted pattern after pattern.
  ///   - heads: the number of attention heads, for rotary embeddings.
  func links(hub: [[[Int]]], runtime: [[Int]], heads: Int?) -> [Link]? {
    let links =
      isStacked ? stacked(hub, runtime) : hub.joined().count > 1 ? fused(hub, runtime) : split(hub, runtime, heads)
    guard let links else { return nil }
    // Each tensor must be used up.
    var counts = (hub: [Int: Int](), runtime: [Int: Int]())
    for link in links {
      let count = link.hubBox.shape.reduce(1, *)
      counts.hub[link.hub, default: 0] += count
      counts.runtime[link.runtime, default: 0] += count
    }
    let isComplete =
      hub.joined().enumerated().allSatisfy { counts.hub[$0.offset, default: 0] == $0.element.reduce(1, *) }
      && runtime.enumerated().allSatisfy { counts.runtime[$0.offset, default: 0] == $0.element.reduce(1, *) }
    return isComplete ? links : nil
  }

  /// Experts stacked, their parts joined. Several runtime tensors have equal shares of the experts.
  private func stacked(_ hub: [[[Int]]], _ runtime: [[Int]]) -> [Link]? {
    let experts = hub[0].count
    let share = (experts + runtime.count - 1) / runtime.count
    guard experts > 0, hub.allSatisfy({ $0.count == experts }) else { return nil }
    var links: [Link] = []
    for expert in 0..<experts {
      let (target, index) = (expert / share, expert % share)
      guard runtime[target].count == hub[0][expert].count + 1,
        runtime[target][0] == min(share, experts - target * share)
      else { return nil }
      let whole = TensorBox(shape: runtime[target]).selecting(index, axis: 0)
      var start = 0
      for (pattern, shapes) in hub.enumerated() {
        let box = TensorBox(shape: shapes[expert])
        // Counted with the first axis.
        guard let part = Self.part(whole, joined.map { $0 - 1 }, &start, box.shape) else { return nil }
        links.append(Link(hub: pattern * experts + expert, runtime: target, hubBox: box, runtimeBox: part))
      }
    }
    return links
  }

  /// Several tensors of the hub are one.
  private func fused(_ hub: [[[Int]]], _ runtime: [[Int]]) -> [Link]? {
    guard runtime.count == 1 else { return nil }
    let whole = TensorBox(shape: runtime[0])
    var start = 0
    var links: [Link] = []
    for (i, shape) in hub.joined().enumerated() {
      guard let part = Self.part(whole, joined, &start, shape) else { return nil }
      links.append(Link(hub: i, runtime: 0, hubBox: TensorBox(shape: shape), runtimeBox: part))
    }
    return links
  }

  /// One tensor of the hub is one or several.
  private func split(_ hub: [[[Int]]], _ runtime: [[Int]], _ heads: Int?) -> [Link]? {
    guard let shape = hub.first?.first else { return nil }
    var whole = TensorBox(shape: shape)
    if isTransposed {
      guard let box = whole.transposed else { return nil }
      whole = box
    }
    if let axis = deinterleaved {
      guard axis < shape.count, let box = whole.deinterleaving(axis: axis, groups: 1) else { return nil }
      whole = box
    }
    var start = 0
    var links: [Link] = []
    for (i, shape) in runtime.enumerated() {
      guard var part = Self.part(whole, runtime.count > 1 ? joined : nil, &start, shape) else { return nil }
      if let rotary, rotary.only.isEmpty || rotary.only.contains(i) {
        guard let heads, let box = part.deinterleaving(axis: 0, groups: heads) else { return nil }
        part = box
      }
      links.append(Link(hub: 0, runtime: i, hubBox: part, runtimeBox: TensorBox(shape: shape)))
    }
    return links
  }

  /// The next part of this shape, along an axis; the whole where nothing is joined.
  private static func part(_ whole: TensorBox, _ axis: Int?, _ start: inout Int, _ shape: [Int]) -> TensorBox? {
    guard let axis else { return whole.shape == shape ? whole : nil }
    guard shape.indices.contains(axis), whole.shape.count == shape.count,
      let part = whole.slicing(start..<start + shape[axis], axis: axis), part.shape == shape
    else { return nil }
    start += shape[axis]
    return part
  }

  /// The shapes of the runtime tensors; nil where they do not follow from the hub's.
  func runtimeShapes(hub: [[[Int]]], runtime count: Int) -> [[Int]]? {
    guard let first = hub.first?.first else { return nil }
    if isStacked {
      let experts = hub[0].count
      let share = (experts + count - 1) / count
      var shape = first
      if let joined {
        guard shape.indices.contains(joined - 1) else { return nil }
        shape[joined - 1] = hub.reduce(0) { $0 + ($1.first?[joined - 1] ?? 0) }
      }
      return (0..<count).map { [min(share, experts - $0 * share)] + shape }
    }
    var shape = first
    if isTransposed {
      guard shape.count >= 2 else { return nil }
      shape.swapAt(shape.count - 1, shape.count - 2)
    }
    guard let joined else { return [shape] }
    guard hub.joined().allSatisfy({ $0.indices.contains(joined) }) else { return nil }
    if count == 1 {
      shape[joined] = hub.joined().reduce(0) { $0 + $1[joined] }
      return [shape]
    }
    guard isEven, shape[joined] % count == 0 else { return nil }
    shape[joined] /= count
    return Array(repeating: shape, count: count)
  }

  /// Which of the two ways tensors are read.
  enum Direction { case toHub, toRuntime }

  /// A short text for the patch's annotations: what is done to the tensors that are read.
  func text(_ direction: Direction) -> String {
    var words: [String] = []
    if isStacked { words.append(direction == .toHub ? "one expert" : "experts stacked") }
    if let joined {
      words.append("\(direction == .toHub ? "part" : "joined") along axis \(joined)")
    }
    if isTransposed { words.append("last two axes exchanged") }
    if let deinterleaved {
      words.append("\(direction == .toHub ? "interleaved" : "deinterleaved") along axis \(deinterleaved)")
    }
    if rotary != nil { words.append("rows of each head \(direction == .toHub ? "interleaved" : "deinterleaved")") }
    return words.joined(separator: ", ")
  }
}
