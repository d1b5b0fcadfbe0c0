import CCompute

/// From patches to the first layer's input, and back.
extension TowerPass {
  /// Writes the first layer's input, [tokens, hiddenSize].
  func embed(_ batch: TowerBatch, into x: FloatPointer) {
    if tower.firstNorm != nil, embedded.count < batch.tokens * hidden { embedded = Floats(batch.tokens * hidden) }
    let out = tower.firstNorm == nil ? x : embedded.start
    let projected = compute.scratch(.normed, batch.patches * hidden)
    apply(tower.patches, to: gathered(batch), rows: batch.patches, into: projected)
    let positions = tower.positions.map(widened)
    let classToken = tower.classToken.map(widened)
    var patch = projected
    for piece in batch.pieces {
      var row = out + piece.tokens.lowerBound * hidden
      if let classToken, let positions {
        row.update(from: classToken.start, count: hidden)
        vp_add(row, positions.start, hidden)
        row += hidden
      }
      let count = piece.rows * piece.columns * hidden
      row.update(from: patch, count: count)
      patch += count
      guard let positions else { continue }
      let learned = positions.start + (classToken == nil ? 0 : hidden)
      if let grid = grid(piece) {
        grid.forEachTap { patch, position, weight in
          vp_add_scaled(row + patch * hidden, learned + position * hidden, weight, hidden)
        }
      } else {
        vp_add(row, learned, count)
      }
    }
    if let norm = tower.firstNorm { compute.apply(norm, to: out, rows: batch.tokens, into: x) }
  }

  /// Accumulates the gradients of tuned tensors below the first layer.
  /// - Parameter gradient: of the first layer's input; overwritten.
  func backwardEmbedding(_ batch: TowerBatch, gradient: FloatPointer) {
    var gradient = gradient
    if let norm = tower.firstNorm {
      let below = compute.scratch(.attention, batch.tokens * hidden)
      below.update(repeating: 0, count: batch.tokens * hidden)
      compute.applyBack(norm, to: gradient, x: embedded.start, rows: batch.tokens, into: below)
      gradient = below
    }
    let positions = tower.positions?.tuning?.gradient.start
    let projected = compute.scratch(.normed, batch.patches * hidden)
    var patch = projected
    for piece in batch.pieces {
      var row = gradient + piece.tokens.lowerBound * hidden
      if config.hasClassToken {
        if let positions { vp_add(positions, row, hidden) }
        if let token = tower.classToken?.tuning?.gradient.start { vp_add(token, row, hidden) }
        row += hidden
      }
      let count = piece.rows * piece.columns * hidden
      patch.update(from: row, count: count)
      patch += count
      guard let positions else { continue }
      let learned = positions + (config.hasClassToken ? hidden : 0)
      if let grid = grid(piece) {
        grid.forEachTap { patch, position, weight in
          vp_add_scaled(learned + position * hidden, row + patch * hidden, weight, hidden)
        }
      } else {
        vp_add(learned, row, count)
      }
    }
    guard tower.patches.isTuned else { return }
    compute.addGradients(of: tower.patches, x: gathered(batch), dy: projected, rows: batch.patches)
  }

  private func gathered(_ batch: TowerBatch) -> FloatPointer {
    let patches = compute.scratch(.patches, batch.patches * config.patchValues)
    batch.gather(into: patches)
    return patches
  }

  private func widened(_ parameter: Parameter) -> Floats {
    let values = Floats(parameter.count)
    parameter.widen(rows: 0..<parameter.rows, into: values.start)
    return values
  }

  /// Interpolation of the learned positions for a piece; nil if they are used unchanged.
  private func grid(_ piece: TowerBatch.Piece) -> PositionGrid? {
    guard piece.rows != config.side || piece.columns != config.side else { return nil }
    return PositionGrid(side: config.side, rows: piece.rows, columns: piece.columns)
  }
}
