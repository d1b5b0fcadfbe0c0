import Base
import Checkpoints
import PatchFormat

/// What a patch has of the adapter that it was made with.
package struct AdapterSummary: Sendable {
  /// Number of tensors that its factors change.
  package let tensors: Int
  /// Elements of these.
  package let weights: Int
  /// Bytes of the differences between what the factors predict and the target.
  package let residualBytes: Int
  /// Bytes of what is needed, besides the factors, to find the base from the prediction.
  package let choiceBytes: Int
  /// Tensors of the adapter that the patch holds.
  package let keptTensors: Int
  package let keptBytes: Int
  /// Whether it holds all of the adapter, so that it can be exported again.
  package let isWhole: Bool
  /// Whether vpatch merged the adapter; otherwise a merged model was given.
  package let isMerged: Bool

  /// Residual bits for each weight that the factors change.
  package var residualBits: Double { weights == 0 ? 0 : 8 * Double(residualBytes) / Double(weights) }

  /// Above this, the target is not what the factors make of the base, by any of the known roundings.
  package var isTooFar: Bool { residualBits > 0.5 && residualBytes > 64 * tensors }

  package var json: JSON {
    .dictionary([
      "tensors": JSON(tensors), "weights": JSON(weights), "residual_bytes": JSON(residualBytes),
      "choice_bytes": JSON(choiceBytes), "kept_tensors": JSON(keptTensors), "kept_bytes": JSON(keptBytes),
      "whole": .bool(isWhole), "merged": .string(isMerged ? "vpatch" : "given"),
    ])
  }
}

extension Create {
  /// The adapter as context of the changes that the patch has; nil without an adapter.
  func adapterContext(_ kept: [Compared]) throws -> AdapterContext? {
    guard let plan = options.adapter else { return nil }
    var rules: [String: (tensor: TensorInfo, rule: LowRank)] = [:]
    for item in kept {
      guard case .lowRank(let rule)? = plan.change(of: item.pair.name), let base = item.pair.base?.info,
        base == item.pair.target
      else { continue }
      rules[item.pair.name.bytesKey] = (base, isMerging ? rule : try rounded(rule, item.pair, base, plan.adapter))
    }
    return AdapterContext(
      adapter: plan.adapter, tensors: try AdapterContext.fingerprints(of: plan.adapter, work), rules: rules,
      keepsAll: options.keepsAdapter)
  }

  /// Whether the target is the base with the adapter merged by vpatch.
  var isMerging: Bool { tuned is AdaptedCheckpoint }

  /// The rule with the rounding that predicts more of the target's first elements. PEFT rounds the change for some layers
  /// and not for others.
  private func rounded(
    _ rule: LowRank, _ pair: Pair, _ info: TensorInfo, _ adapter: PEFTAdapter
  ) throws -> LowRank {
    let count = min(info.elementCount, 1 << 16)
    let width = info.dtype.element.width
    let buffers = (0..<3).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: count * width, alignment: 64) }
    defer { for buffer in buffers { buffer.deallocate() } }
    try baseSource(pair)?.read(into: buffers[0], at: 0)
    try tunedSource(pair)?.read(into: buffers[1], at: 0)
    var factors = try adapter.factors(rule, of: info)
    let wrong = [false, true].map { roundsChange in
      factors.roundsChange = roundsChange
      ChunkCoder.Prediction(factors, elements: 0..<count)
        .predict(from: UnsafeRawBufferPointer(buffers[0]), into: buffers[2])
      return stride(from: 0, to: count * width, by: width).count { i in
        (i..<i + width).contains { buffers[2][$0] != buffers[1][$0] }
      }
    }
    factors.roundsChange = wrong[1] < wrong[0]
    return factors.rule
  }

  /// What is needed to write the adapter's files again, if the patch has all of its tensors.
  /// - Parameter digest: of the adapter's weights.
  func adapterFiles(_ encoded: PatchBuilder.Encoded, _ digest: ContentDigest?) -> Annex.AdapterFiles? {
    guard encoded.isAdapterWhole, let adapter = options.adapter?.adapter, let digest else { return nil }
    return adapter.files(digest)
  }

  /// The member `adapter` of the annotation `made`.
  /// - Parameter digest: of the adapter's weights.
  func adapterAnnotation(_ digest: ContentDigest?) -> JSON? {
    guard let adapter = options.adapter?.adapter, let digest else { return nil }
    return adapter.annotation(digest, base: .declared, isMerging ? .byVpatch : .given)
  }

  func adapterSummary(_ encoded: PatchBuilder.Encoded, _ kept: [Compared]) -> AdapterSummary? {
    guard let plan = options.adapter else { return nil }
    let predicted = kept.filter { if case .lowRank? = plan.change(of: $0.pair.name) { true } else { false } }
    return AdapterSummary(
      tensors: predicted.count, weights: predicted.reduce(0) { $0 + ($1.pair.target?.elementCount ?? 0) },
      residualBytes: encoded.residualBytes, choiceBytes: encoded.choiceBytes, keptTensors: encoded.adapter.count,
      keptBytes: encoded.adapter.reduce(0) { $0 + $1.chunks.reduce(0) { $0 + $1.stored } },
      isWhole: encoded.isAdapterWhole, isMerged: isMerging)
  }
}
