import Base
import Checkpoints
import Families

extension Create {
  /// How the tuned tensors are those of the base, where names or arrangements differ; nil where neither does.
  func layoutMatch() throws -> LayoutMatch? {
    guard options.mapKeys else { return nil }
    do {
      let match = try LayoutMatch.find(
        tuned: tuned.tensors.map(\.info), base: base.tensors.map(\.info),
        configs: [base, tuned].compactMap { $0.config })
      return match.isIdentity ? nil : match
    } catch let error as LayoutMatchError {
      throw VPatchError(.refused, tuned.path, "\(error)", remedy: error.remedy)
    } catch let error as KeyMapError {
      // This may give a more helpful error than that the names do not pair.
      try requireFineTune(ModelPair(base: base, tuned: tuned))
      throw VPatchError(.refused, tuned.path, "\(error)")
    }
  }

  /// - Throws: `refused` where the two are not a base and its fine-tune, or the patch would do what a fine-tune does
  ///   not.
  func requireFineTune(_ model: ModelPair) throws {
    guard options.expectsFineTune else { return }
    if tuned.isDirectory { try ModelFolder(tuned.path).requireNoAdapter() }
    var isConcerned: (String) -> Bool = { _ in true }
    if options.dropOthers, let selection = options.selection {
      let names = (model.base.tensors + model.added).map(\.name)
      let allowed = Set(selection.filter(names, in: layout).map(\.bytesKey))
      isConcerned = { allowed.contains($0.bytesKey) }
    }
    guard let problem = try model.problem(options, isConcerned: isConcerned) else { return }
    throw VPatchError(
      .refused, problem.isOfBase ? base.path : tuned.path, problem.reason, remedy: problem.remedy)
  }

  /// The base's tensors that the tuned side lacks and that the patch keeps, each with the tensor of which it is a copy
  /// in the base, if any.
  func kept(_ model: ModelPair) throws -> [String: String?] {
    guard options.isPartial || options.selection != nil else { return [:] }
    let missing = try options.isPartial ? model.removed : model.dropped()
    return Dictionary(
      uniqueKeysWithValues: try missing.map { ($0.name.bytesKey, try model.original(ofRemoved: $0)?.name) })
  }

  func pair(_ renames: KeyMap?, keeping kept: [String: String?]) throws -> [Pair] {
    let units = (QuantisedUnits([base.tensors.map(\.info)]), QuantisedUnits([tuned.tensors.map(\.info)]))
    var tunedOf: [String: (name: String, tensor: CheckpointTensor)] = [:]
    for tensor in tuned.tensors {
      let name = renames?.names[tensor.name] ?? tensor.name
      guard tunedOf.updateValue((name, tensor), forKey: name.bytesKey) == nil else {
        throw VPatchError(.refused, tuned.path, "has two tensors for the base's name \"\(name.printable)\"")
      }
    }
    var pairs = try base.tensors.map {
      let original = kept[$0.name.bytesKey]
      let tuned = tunedOf[(original.flatMap(\.self) ?? $0.name).bytesKey]?.tensor
      return try pair(name: $0.name, $0, tuned, units, isKept: original != nil)
    }
    for tensor in base.tensors { tunedOf[tensor.name.bytesKey] = nil }
    for added in tunedOf.values { pairs.append(try pair(name: added.name, nil, added.tensor, units)) }
    return pairs.sorted { $0.name.precedes($1.name) }
  }

  private typealias Units = (base: QuantisedUnits, tuned: QuantisedUnits)

  private func pair(
    name: String, _ base: CheckpointTensor?, _ tuned: CheckpointTensor?, _ units: Units, isKept: Bool = false
  ) throws -> Pair {
    guard let tuned else {
      return Pair(
        name: name, base: base, tuned: nil, target: isKept ? base?.info : nil, isCast: false, isKept: isKept)
    }
    var info = tuned.info
    var isCast = false
    if options.castToBase, let base, let cast = CastTensor(self.tuned.source(of: tuned), to: base.info.dtype) {
      try requireNumbers(base, tuned, units)
      info = cast.info
      isCast = true
    }
    return Pair(
      name: name, base: base, tuned: tuned,
      target: TensorInfo(name: name, dtype: info.dtype, shape: info.shape, byteCount: info.byteCount), isCast: isCast,
      isKept: isKept)
  }

  /// Quantised codes with scales are not numbers that can be cast.
  private func requireNumbers(_ base: CheckpointTensor, _ tuned: CheckpointTensor, _ units: Units) throws {
    for (tensor, model, units) in [(base, self.base, units.base), (tuned, self.tuned, units.tuned)] {
      guard tensor.info.dtype.bitsPerElement == 8, units.unit(of: tensor.name) != nil else { continue }
      throw VPatchError(
        .refused, model.path,
        "holds codes (\(tensor.info.dtype)) with scales in \"\(tensor.name.printable)\": they cannot be cast",
        remedy: "leave out --cast-to-base")
    }
  }

  func baseSource(_ pair: Pair) -> (any TensorSource)? { pair.base.map { base.source(of: $0) } }

  func tunedSource(_ pair: Pair, isCounting: Bool = false) -> (any TensorSource)? {
    guard let tuned = pair.tuned, let target = pair.target else { return nil }
    let stored = self.tuned.source(of: tuned)
    return pair.isCast ? CastTensor(stored, to: target.dtype, isCounting: isCounting) : stored
  }

  // MARK: Casts

  /// The dtype of most cast bytes; nil where nothing is cast.
  func castDType(_ pairs: [Pair]) -> DType? {
    var bytes: [DType: Int] = [:]
    for case (true, let target?) in pairs.map({ ($0.isCast, $0.target) }) {
      bytes[target.dtype, default: 0] += target.byteCount
    }
    return bytes.max { ($0.value, $0.key.name) < ($1.value, $1.key.name) }?.key
  }

  /// Summaries of the casts, including tensors that equal the base afterwards.
  package func casts(_ compared: [Compared]) -> [CastSummary] {
    var found: [[DType]: CastSummary] = [:]
    for item in compared {
      guard let from = item.pair.tuned?.info, let target = item.pair.target, let losses = item.losses else { continue }
      let key = [from.dtype, target.dtype]
      var summary = found[key] ?? CastSummary(from: from.dtype, to: target.dtype)
      summary.tensors += 1
      summary.changed += item.differs ? 1 : 0
      summary.values += target.elementCount
      summary.losses.add(losses)
      found[key] = summary
    }
    return found.values.sorted { ($0.from.name, $0.to.name) < ($1.from.name, $1.to.name) }
  }

  /// The tensors that are replaced because their dtype differs.
  package func retyped(_ kept: [Compared]) -> [CreateResult.RetypedTensors] {
    let pairs = kept.compactMap { item -> [DType]? in
      guard let base = item.pair.base?.info, let target = item.pair.target, base.dtype != target.dtype else {
        return nil
      }
      return [target.dtype, base.dtype]
    }
    return Dictionary(grouping: pairs) { $0 }.map { key, all in
      CreateResult.RetypedTensors(
        from: key[0], to: key[1], tensors: all.count,
        canBeCast: key.allSatisfy { CastTensor.Element($0) != nil })
    }.sorted { ($0.from.name, $0.to.name) < ($1.from.name, $1.to.name) }
  }
}
