import Base
import Checkpoints

/// The names that two converted lists have in common, and the stored tensors behind them.
struct LayoutPairs {
  let map: KeyMap
  let tuned: [TensorInfo]
  let base: [TensorInfo]
  /// Tensors that are the same on both sides.
  private(set) var stored: [(tuned: TensorInfo, base: TensorInfo)] = []
  private let tunedGroups: [ConvertedNames.Group]
  private let baseGroups: [ConvertedNames.Group]
  /// For each group the stored tensors of the other side that it corresponds to.
  private var ofTuned: [Int: [Int: TensorInfo]] = [:]
  private var ofBase: [Int: [Int: TensorInfo]] = [:]

  init(
    _ map: KeyMap, _ tunedNames: ConvertedNames, _ baseNames: ConvertedNames, _ tuned: [TensorInfo],
    _ base: [TensorInfo]
  ) {
    (self.map, self.tuned, self.base) = (map, tuned, base)
    (tunedGroups, baseGroups) = (tunedNames.groups, baseNames.groups)
    let originOf = Dictionary(baseNames.entries.map { ($0.name, $0.origin) }) { first, _ in first }
    for entry in tunedNames.entries {
      guard let name = map.names[entry.name], let origin = originOf[name] else { continue }
      switch (entry.origin, origin) {
      case (.stored(let a), .stored(let b)): stored.append((tuned[a], base[b]))
      case (.part(let group, let place), .stored(let b)): ofTuned[group, default: [:]][place] = base[b]
      case (.stored(let a), .part(let group, let place)): ofBase[group, default: [:]][place] = tuned[a]
      // Both in a hub's layout, of different families. There is no such pair; its tensors stay unpaired.
      case (.part, .part): break
      }
    }
  }

  /// The base is in the runtime layout: its tensors are made of the tuned ones of the hub's.
  func groupsOfTuned(_ configs: [JSON]) throws -> [LayoutMatch.Rearranged] {
    try ofTuned.flatMap { index, targets in
      let group = tunedGroups[index]
      let (members, wholes, links) = try links(group, targets, stored: tuned, hubSide: .tuned, configs)
      return try wholes.enumerated().map { place, target in
        try rearranged(
          target, from: members, links.filter { $0.runtime == place }.map { ($0.runtimeBox, $0.hubBox, $0.hub) },
          group.converter.arrangement.text(.toRuntime))
      }
    }
  }

  /// The base is in the hub's layout: its tensors are parts of the tuned ones of the runtime layout.
  func groupsOfBase(_ configs: [JSON]) throws -> [LayoutMatch.Rearranged] {
    try ofBase.flatMap { index, targets in
      let group = baseGroups[index]
      let (members, wholes, links) = try links(group, targets, stored: base, hubSide: .base, configs)
      return try members.enumerated().map { place, member in
        try rearranged(
          member, from: wholes, links.filter { $0.hub == place }.map { ($0.hubBox, $0.runtimeBox, $0.runtime) },
          group.converter.arrangement.text(.toHub))
      }
    }
  }

  private typealias Links = (hub: [TensorInfo], runtime: [TensorInfo], links: [TensorArrangement.Link])

  /// - Parameters:
  ///   - targets: the runtime tensors that were found, by their places.
  ///   - stored: the tensors of the side that has the hub's layout.
  private func links(
    _ group: ConvertedNames.Group, _ targets: [Int: TensorInfo], stored: [TensorInfo], hubSide: KeyMapError.Side,
    _ configs: [JSON]
  ) throws -> Links {
    let whole = targets.min { $0.key < $1.key }!.value.name
    let runtimeSide: KeyMapError.Side = hubSide == .base ? .tuned : .base
    var runtime: [TensorInfo] = []
    for (place, name) in group.converter.runtime.enumerated() {
      guard let info = targets[place] else {
        let missing = (group.before + name.split(separator: ".") + group.after).joined(separator: ".")
        throw LayoutMatchError.incomplete(side: runtimeSide, whole: whole, missing: missing)
      }
      runtime.append(info)
    }
    let ordered = try group.ordered(hubSide, whole: whole)
    let arrangement = group.converter.arrangement
    let heads = try arrangement.heads(configs, name: whole)
    let members = ordered.joined().map { stored[$0] }
    let shapes = ordered.map { $0.map { stored[$0].shape } }
    guard let links = arrangement.links(hub: shapes, runtime: runtime.map(\.shape), heads: heads) else {
      throw LayoutMatchError.shapes(side: hubSide, whole: whole, part: members[0].name)
    }
    return (members, runtime, links)
  }

  /// - Parameter boxes: of the target and of the source, with the source's index.
  private func rearranged(
    _ target: TensorInfo, from all: [TensorInfo], _ boxes: [(TensorBox, TensorBox, Int)], _ how: String
  ) throws -> LayoutMatch.Rearranged {
    let used = Set(boxes.map(\.2)).sorted()
    let placeOf = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($1, $0) })
    let blocks = boxes.compactMap { TensorBlock($0.0, from: $0.1, source: placeOf[$0.2]!) }
    let sources = used.map { all[$0] }
    guard let dtype = sources.first?.dtype, sources.allSatisfy({ $0.dtype == dtype }), dtype.isKnown,
      let size = TensorInfo.byteCount(dtype: dtype, shape: target.shape), blocks.count == boxes.count
    else { throw LayoutMatchError.dtypes(name: target.name) }
    return LayoutMatch.Rearranged(
      tensor: TensorInfo(name: target.name, dtype: dtype, shape: target.shape, byteCount: size), sources: sources,
      blocks: blocks, how: how)
  }
}

extension TensorArrangement {
  /// The number of attention heads; nil if the arrangement does not depend on it.
  /// - Parameter name: of the tensor, for messages.
  /// - Throws: `heads` where no config has it.
  func heads(_ configs: [JSON], name: String) throws(LayoutMatchError) -> Int? {
    guard let part = rotary?.config else { return nil }
    let found = configs.lazy.compactMap { ((part.isEmpty ? nil : $0[part]) ?? $0)["num_attention_heads"]?.int }
    guard let heads = found.first else { throw .heads(name: name) }
    return heads
  }
}
