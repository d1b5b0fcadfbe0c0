/// A rule: a prefix of whole name parts, and how to read the rest.
package struct Rule: Hashable, Sendable {
  package enum Reading: Hashable, Sendable {
    /// The language model without its head: `layers.<i>.…`, `embed_tokens.…`, `norm.…`.
    case languageModel
    /// `lm_head`.
    case head
    /// One learned vector in the embedding space; the whole name, without a module.
    case imageNewline
    /// A projector. Its modules keep their names below this root.
    case projector(root: String)
    /// lmms-lab's projector, an `nn.Sequential`: `0` and `2` are `linear_1` and `linear_2`.
    case sequentialProjector
    case resampler
    /// A vision tower whose blocks are below one of these paths.
    case visionTower(blocks: [String])
  }

  package let prefix: NamePath
  package let reading: Reading

  init(_ prefix: String, _ reading: Reading) {
    self.prefix = NamePath(prefix)
    self.reading = reading
  }

  /// The component of a name; nil where this rule does not match.
  package func read(_ path: NamePath) -> Component? {
    guard path.parts.starts(with: prefix.parts) else { return nil }
    let rest = path.parts.dropFirst(prefix.parts.count)
    guard rest.isEmpty == (reading == .imageNewline) else { return nil }
    switch reading {
    case .languageModel:
      if let (layer, inner) = Self.block(below: "layers", rest) {
        return Component(.decoderLayer, layer: layer, inner)
      }
      switch (rest.first, rest.count) {
      case ("embed_tokens", 2): return Component(.embedding, rest)
      case ("norm", 2): return Component(.finalNorm, rest)
      default: return nil
      }
    case .head:
      return rest.count == 1 ? Component(.head, ["lm_head"] + rest) : nil
    case .imageNewline:
      return Component(.embedding, ["image_newline"])
    case .projector(let root):
      return Component(.projector, [Substring(root)] + rest)
    case .sequentialProjector:
      let first = Self.linear(rest[rest.startIndex])
      return Component(.projector, ["multi_modal_projector", first] + rest.dropFirst())
    case .resampler:
      return Component(.resampler, ["vision_resampler"] + rest)
    case .visionTower(let blocks):
      for stem in blocks {
        guard let (layer, inner) = Self.block(below: stem, rest) else { continue }
        return Component(.visionTower, layer: layer, inner)
      }
      return Component(.visionTower, rest)
    }
  }

  /// `<stem>.<i>.<module>.<parameter>`: the number and the parts after it.
  private static func block(below stem: String, _ rest: ArraySlice<Substring>)
    -> (Int, ArraySlice<Substring>)?
  {
    let stem = NamePath(stem).parts
    let numbered = rest.dropFirst(stem.count)
    guard rest.starts(with: stem), numbered.count >= 3,
      let index = NamePath.index(numbered[numbered.startIndex])
    else { return nil }
    return (index, numbered.dropFirst())
  }

  /// Between the two linear layers of the sequence is an activation, which has no tensors. Other sequences exist (Yi-VL
  /// has norms in it), so only these two are renamed.
  private static func linear(_ part: Substring) -> Substring {
    switch part {
    case "0": "linear_1"
    case "2": "linear_2"
    default: part
    }
  }
}

extension Component {
  /// The component with these parts as module path and parameter.
  package init(_ region: Region, layer: Int? = nil, _ parts: some BidirectionalCollection<Substring>) {
    let module = parts.dropLast().joined(separator: ".")
    let last = String(parts.last ?? "")
    self.init(
      region: region, layer: layer,
      name: module.isEmpty ? last : module, parameter: module.isEmpty ? "" : last)
  }
}
