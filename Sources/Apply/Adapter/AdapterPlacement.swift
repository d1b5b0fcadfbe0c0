import Base
import Checkpoints
import Families
import PatchFormat

/// Where the base's tensors are that an adapter names as transformers has them in memory. Fused experts of a model in
/// memory can be hundreds of tensors of a file.
struct AdapterPlacement {
  /// A tensor of the base that is a parameter in memory, or a part of one.
  struct Part {
    let tensor: CheckpointTensor
    /// Where its elements are in the parameter; nil where both are the same.
    let blocks: [TensorBlock]?
  }

  /// Shape of the parameter in memory, and the tensors that it is made of, by its name.
  let found: [String: (shape: [Int], parts: [Part])]

  /// - Parameters:
  ///   - wanted: names in memory.
  ///   - shapes: those of fused experts, as the adapter has them.
  ///   - config: the base's config.json, if known.
  init(_ wanted: Set<String>, shapes: [String: [Int]], in base: SafetensorsCheckpoint, config: JSON?) throws {
    var found: [String: (shape: [Int], parts: [Part])] = [:]
    for name in wanted {
      guard let tensor = base.tensor(named: name) else { continue }
      found[name] = (tensor.info.shape, [Part(tensor: tensor, blocks: nil)])
    }
    if found.count < wanted.count {
      let placed = try? RuntimeParameter.find(
        wanted.sorted(), shapes: shapes, in: base.tensors.map(\.info), configs: [config].compactMap(\.self))
      for (name, parameter) in placed ?? [:] where found[name] == nil {
        found[name] = (
          parameter.shape,
          parameter.parts.compactMap { part in
            base.tensor(named: part.tensor.name).map { tensor in
              Part(tensor: tensor, blocks: tensor.info.shape == parameter.shape ? nil : part.blocks)
            }
          }
        )
      }
    }
    self.found = found
  }
}

extension LowRank {
  /// The rule for a tensor that is a part of the parameter that this rule is for.
  /// - Returns: nil where rows and columns of the part are not rows and columns of the parameter.
  func restricted(to part: TensorInfo, at blocks: [TensorBlock], of shape: [Int]) -> LowRank? {
    guard blocks.count == 1, blocks[0].elementCount == part.elementCount, let own = Matrices(part), shape.count >= 2
    else { return nil }
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    // The parameter's element at an element of the part.
    func place(_ slice: Int, _ row: Int, _ column: Int) -> Int {
      var rest = (slice * own.rows + row) * own.columns + column - blocks[0].targetStart
      return blocks[0].loops.reduce(blocks[0].sourceStart) { place, loop in
        defer { rest %= loop.target }
        return place + rest / loop.target * loop.source
      }
    }
    let first = place(0, 0, 0)
    let origin = (slice: first / (rows * columns), row: first / columns % rows, column: first % columns)
    let steps = (
      slice: own.slices > 1 ? place(1, 0, 0) - first : 0, row: own.rows > 1 ? place(0, 1, 0) - first : 0,
      column: own.columns > 1 ? place(0, 0, 1) - first : 0
    )
    let last = (own.slices - 1, own.rows - 1, own.columns - 1)
    guard place(last.0, last.1, last.2) == first + last.0 * steps.slice + last.1 * steps.row + last.2 * steps.column,
      steps.slice % (rows * columns) == 0
    else { return nil }
    func view(_ view: View, _ start: Int, _ step: Int) -> View {
      View(
        tensor: view.tensor, offset: view.offset + origin.slice * view.slice + start * view.line,
        slice: steps.slice / (rows * columns) * view.slice, line: step * view.line, rank: view.rank)
    }
    var rule = self
    func fits(_ start: Int, _ step: Int, _ count: Int, _ limit: Int) -> Bool { start + step * (count - 1) < limit }
    if steps.row % columns == 0, fits(origin.row, steps.row / columns, own.rows, rows),
      fits(origin.column, steps.column, own.columns, columns)
    {
      rule.u = view(u, origin.row, steps.row / columns)
      rule.v = view(v, origin.column, steps.column)
      return rule
    }
    // The part is transposed.
    guard steps.column % columns == 0, fits(origin.row, steps.column / columns, own.columns, rows),
      fits(origin.column, steps.row, own.rows, columns)
    else { return nil }
    rule.u = view(v, origin.column, steps.row)
    rule.v = view(u, origin.row, steps.column / columns)
    return rule
  }
}
