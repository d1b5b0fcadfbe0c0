import Base
import Images

extension VisionModel {
  /// Memory that images need in a training step, in bytes.
  struct Memory: Equatable, Sendable {
    /// Activations kept for the backward pass, and the token rows themselves.
    var activations = 0
    /// A layer's intermediate results.
    var scratch = 0
  }

  /// - Parameters:
  ///   - plans: of the images in one forward pass.
  ///   - tuned: all tuned tensors, of this part of the model or others.
  /// - Throws: `invalid` if a plan does not fit this model.
  func memory(
    for plans: [ImagePlan], tuned: [Parameter], keeping: ActivationCheckpointing
  ) throws -> Memory {
    let names = Set(tuned.map(\.name.bytesKey))
    func isTuned(_ parameters: [Parameter]) -> Bool { parameters.contains { names.contains($0.name.bytesKey) } }
    let tower = config.tower
    let isTowerTuned = isTuned(self.tower.parameters)
    var (tokens, patches, rows, packed, largest) = (0, 0, 0, 0, 0)
    var pixels: [Int] = []
    for plan in plans {
      let (pieces, count) = try config.pieces(plan)
      let piece = config.towerTokens(count / pieces)
      tokens += pieces * piece
      patches += count
      pixels.append(count * tower.patchValues)
      rows += pieces * config.pieceTokens(count / pieces) / projector.merged
      packed += try config.tokens(plan)
      largest = max(largest, piece)
    }
    // A frozen tower processes some pieces at a time.
    if !isTowerTuned {
      tokens = min(tokens, max(largest, VisionPass.portion))
      patches = min(patches, tokens)
    }
    let shape = tower.activations(layers: self.tower.layers.count)
    var perToken = shape.layerBytes + 8 * tower.hiddenSize
    if isTowerTuned {
      let lowest =
        isTuned(self.tower.embeddingParameters)
        ? 0 : self.tower.layers.firstIndex { isTuned($0.parameters) } ?? self.tower.layers.count
      perToken = shape.bytes(keeping, from: lowest) + 12 * tower.hiddenSize
    }
    var memory = Memory()
    let merged = projector.merged * config.featureWidth
    let perRow = 2 * merged + projector.first.outputs + (newline == nil ? 1 : 2) * config.textHidden
    memory.activations = tokens * perToken + 4 * (rows * perRow + (newline == nil ? 0 : packed * config.textHidden))
    // The images' pixels, all of them if the backward pass needs them; and reordered patches, once more if the first
    // product's gradient packs them.
    let held = isTowerTuned ? pixels[...] : pixels.sorted(by: >).prefix(VisionPass.together)
    memory.scratch =
      4 * tokens * (6 * tower.hiddenSize + tower.intermediateSize + tower.upWidth)
      + 4 * (held.reduce(0, +) + (isTuned(self.tower.patches.parameters) ? 2 : 1) * patches * tower.patchValues)
    return memory
  }
}
