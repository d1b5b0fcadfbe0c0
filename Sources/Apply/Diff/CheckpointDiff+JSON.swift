import Base
import Checkpoints

extension CheckpointDiff {
  /// The comparison as JSON. Missing values (the cosine of a zero tensor, norms of unknown elements) are null.
  package func json() -> JSON {
    let total = total
    return .dictionary([
      "format": .string("vpatch diff"), "version": JSON(1),
      "a": a.json, "b": b.json,
      "identical": .bool(isIdentical),
      "total": .object(total.members),
      "components": .array(components.map(\.json)),
      "tensors": .array(tensors.map(\.json)),
      "added": .array(added.map { $0.json(of: $0.b!) }),
      "removed": .array(removed.map { $0.json(of: $0.a!) }),
      "reshaped": .array(
        reshaped.map { tensor in
          .dictionary(["name": .string(tensor.name), "a": tensor.a!.typeJSON, "b": tensor.b!.typeJSON])
        }),
      "retyped": .array(retyped.map { .string($0.name) }),
      "remarks": .array(notes.map { .string($0) }),
    ])
  }
}

extension CheckpointDiff.Side {
  fileprivate var json: JSON { .dictionary(["path": .string(path), "tensors": JSON(tensors), "bytes": JSON(bytes)]) }
}

extension CheckpointDiff.ComponentSummary {
  fileprivate var json: JSON {
    let byLayer = layers.sorted { $0.key < $1.key }.map { layer, summary in
      JSON.object([.init("layer", JSON(layer))] + summary.members)
    }
    return .object(
      [.init("component", .string(label)), .init("region", .string(region.rawValue))] + all.members
        + [.init("layers", .array(byLayer))])
  }
}

extension CheckpointDiff.Summary {
  fileprivate var members: [JSON.Member] {
    [.init("tensors", JSON(tensors)), .init("changed_tensors", JSON(changedTensors))] + change.members
  }
}

extension CheckpointDiff.Tensor {
  fileprivate var json: JSON {
    .object(
      [
        .init("name", .string(name)), .init("component", .string(component.label)),
        .init("region", .string(component.region.rawValue)),
        .init("layer", component.layer.map { JSON($0) } ?? .null),
        .init("dtype", .string(dtype.name)), .init("dtype_b", .string(dtypeB.name)),
        .init("shape", .array(shape.map { JSON($0) })),
      ] + change.members)
  }
}

extension CheckpointDiff.Unmatched {
  fileprivate func json(of info: TensorInfo) -> JSON {
    .object([.init("name", .string(info.name))] + (info.typeJSON.object ?? []))
  }
}

extension TensorInfo {
  fileprivate var typeJSON: JSON {
    .dictionary(["dtype": .string(dtype.name), "shape": .array(shape.map { JSON($0) })])
  }
}

extension Change {
  fileprivate var members: [JSON.Member] {
    func number(_ value: Double?) -> JSON { value.map { JSON($0) } ?? .null }
    return [
      .init("elements", JSON(elements)), .init("changed", JSON(changed)), .init("share_changed", JSON(share)),
      .init("non_finite", JSON(nonFinite)),
      .init("norm_a", number(normA)), .init("norm_b", number(normB)), .init("norm_delta", number(normDelta)),
      .init("relative_change", number(relativeChange)), .init("cosine", number(cosine)),
      .init("one_minus_cosine", number(oneMinusCosine)), .init("max_delta", number(maxDelta)),
    ]
  }
}
