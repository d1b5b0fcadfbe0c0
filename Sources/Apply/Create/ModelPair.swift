import Base
import Checkpoints
import Families

/// Two checkpoints as a base and a tuned model: whether one is a fine-tune of the other, or what it is instead.
///
/// A fine-tune has the base's tensors. Without being another model, it may lack or add:
/// - a head or an embedding that is tied to an embedding that both have (a head according to a config, either if the
///   bytes are equal), and a head that the other's architecture does not use;
/// - a whole vision or audio part;
/// - multi-token prediction (`mtp.*`), and layers beyond the number in the config;
/// - computed buffers, and tensors without elements.
/// It may also have tensors outside the base's layout, such as another head.
struct ModelPair {
  package struct Side {
    package let checkpoint: any Checkpoint
    /// Under the base's names.
    package let tensors: [TensorInfo]
    package let config: ConfigFacts
    package let names: Set<String>
    package let units: QuantisedUnits

    package init(_ checkpoint: any Checkpoint, names renamed: KeyMap? = nil) {
      self.checkpoint = checkpoint
      tensors = checkpoint.tensors.map { tensor in
        let info = tensor.info
        guard let name = renamed?.names[info.name] else { return info }
        return TensorInfo(name: name, dtype: info.dtype, shape: info.shape, byteCount: info.byteCount)
      }
      config = ConfigFacts(checkpoint)
      names = Set(tensors.map(\.name.bytesKey))
      units = QuantisedUnits([tensors])
    }
  }

  /// What is wrong with one of the two.
  struct Problem: Equatable {
    let isOfBase: Bool
    package let reason: String
    /// Alternatives, with the options that each needs, joined by ", or ".
    package let remedy: String

    init(ofBase isOfBase: Bool = false, _ reason: String, _ remedy: String) {
      self.isOfBase = isOfBase
      self.reason = reason
      self.remedy = remedy
    }
  }

  package let base: Side
  package let tuned: Side
  /// Tensors that both have, in the base's and in the tuned form.
  package let shared: [(base: TensorInfo, tuned: TensorInfo)]
  package let removed: [TensorInfo]
  package let added: [TensorInfo]

  /// - Parameter keys: tuned names → base names, where they differ.
  init(base: any Checkpoint, tuned: any Checkpoint, keys: KeyMap? = nil) {
    let (base, tuned) = (Side(base), Side(tuned, names: keys))
    self.base = base
    self.tuned = tuned
    let held = Dictionary(tuned.tensors.map { ($0.name.bytesKey, $0) }) { first, _ in first }
    shared = base.tensors.compactMap { tensor in held[tensor.name.bytesKey].map { (tensor, $0) } }
    removed = base.tensors.filter { !tuned.names.contains($0.name.bytesKey) }
    added = tuned.tensors.filter { !base.names.contains($0.name.bytesKey) }
  }

  /// The first thing that a fine-tune does not do, in the order of this function; nil where there is none.
  /// - Parameters:
  ///   - options: decides which missing, removed and added tensors are allowed.
  ///   - isConcerned: whether a tensor's change matters.
  /// - Throws: `io`, where a head must be compared with the embedding.
  func problem(_ options: CreateOptions, isConcerned: (String) -> Bool = { _ in true }) throws -> Problem? {
    if let problem = optimizerState ?? nothingShared { return problem }
    let removed = options.isPartial ? [] : self.removed.filter { isConcerned($0.name) }
    let added = self.added.filter { isConcerned($0.name) }
    let isAllowed = (
      removed: options.allowsRemovals || removed.isEmpty, added: options.allowsAdditions || added.isEmpty
    )
    if !isAllowed.added, let problem = adapter(in: added, ofBase: false) { return problem }
    if !isAllowed.removed, let problem = adapter(in: removed, ofBase: true) { return problem }
    if !(isAllowed.removed && isAllowed.added), let problem = quantised(removed, added, asItIs: true) { return problem }
    if options.isPartial, let problem = scalesLeftBehind { return problem }
    let isAnyShape = options.allowsRemovals && options.allowsAdditions
    if !isAnyShape, let problem = reshaped(isConcerned) { return problem }
    if options.isPartial, !isAllowed.added { return unpaired(added) }
    if !isAllowed.removed, let problem = try lacking(removed) { return problem }
    return isAllowed.added ? nil : try surplus(added)
  }

  // MARK: Not a model

  private var optimizerState: Problem? {
    let names = tuned.checkpoint.tensors.map(\.name)
    let found = names.filter(OptimizerTensors.contains)
    guard let first = found.first, found.count * 2 > names.count else { return nil }
    return Problem(
      "is an optimizer state, not a model: \(Format.counted(found.count, "tensor")) such as \"\(first.printable)\"",
      "give the model that was saved beside it")
  }

  /// Tensors whose shape a fine-tune does not change: those in layers, and any that are empty here.
  private func reshaped(_ isConcerned: (String) -> Bool) -> Problem? {
    let found = shared.filter { base, tuned in
      guard base.shape != tuned.shape, isConcerned(base.name), base.byteCount > 0 else { return false }
      return tuned.byteCount == 0 || PassingTensors.decoderLayer(base.name) != nil
    }
    guard let (base, tuned) = found.first else { return nil }
    let what =
      "has another shape than the base in \(Format.counted(found.count, "tensor")) whose shape a fine-tune "
      + "keeps: \"\(base.name.printable)\" is \(tuned.typeDescription) here and \(base.typeDescription) in the base"
    let asItIs = ", or accept it with --allow-removals and --allow-additions"
    if let match = betterMatch, match.rearranged.contains(where: { $0.tensor.name.isSame(as: base.name) }) {
      return Problem(what + "; it has the same elements in another arrangement", "use --map-keys auto")
    }
    if tuned.byteCount == 0 {
      return Problem(
        what + "; DeepSpeed's ZeRO-3 saves such empty tensors",
        "save the model with its weights gathered (stage3_gather_16bit_weights_on_model_save, or zero_to_fp32.py)"
          + asItIs)
    }
    if tuned.shape.count == 1, tuned.elementCount == base.elementCount {
      return Problem(
        what + "; FSDP flattens tensors", "save the model with its full state dict (FULL_STATE_DICT)" + asItIs)
    }
    return Problem(
      what + ": it is one part of a split model, or another model", "give the whole tuned model" + asItIs)
  }

  /// With `--partial`, each tensor must be one of the base's.
  private func unpaired(_ added: [TensorInfo]) -> Problem {
    let what =
      "holds \(Format.counted(added.count, "tensor")) that the base does not have, such as "
      + "\"\(added[0].name.printable)\", but a partial model may only hold tensors of the base"
    if let match = betterMatch {
      return Problem("\(what); \(match.pairedCount) of the base's exist under other names", "use --map-keys auto")
    }
    return Problem(what, "leave them out of the file, or accept them with --allow-additions")
  }

  // MARK: Nothing in common

  private var nothingShared: Problem? {
    if let reason = Self.reasonWithoutTensors(tuned, adapterOf: added) {
      return shared.isEmpty ? Problem(reason.0, reason.1) : nil
    }
    if let reason = Self.reasonWithoutTensors(base, adapterOf: removed) {
      return shared.isEmpty ? Problem(ofBase: true, reason.0, reason.1) : nil
    }
    guard !shared.isEmpty else {
      if let hint = KeyMap.hint(expected: base.tensors.map(\.name), found: tuned.tensors.map(\.name)) {
        return Problem("has no tensor name in common with the base: \(hint.description)", "use --map-keys auto")
      }
      if let count = wrapped {
        return Problem(
          "has no tensor name in common with the base, but \(count) of its \(tuned.tensors.count) tensors "
            + "exist there under other names", "use --map-keys auto")
      }
      let names = [base, tuned].map { "\"\($0.tensors[0].name.printable)\"" }
      return Problem(
        "has no tensor in common with the base: the base has for example \(names[0]), it has \(names[1])",
        "give the base that it was tuned from")
    }
    guard shared.contains(where: { Self.isAlike($0, $1) }) else {
      if let problem = quantised(removed, added, asItIs: false) { return problem }
      let (a, b) = shared[0]
      return Problem(
        "has the base's tensor names, but other shapes: \"\(a.name.printable)\" is \(a.typeDescription) in the base "
          + "and \(b.typeDescription) here; this is another model",
        "give the base that it was tuned from")
    }
    return nil
  }

  /// The number of tuned tensors that match under other names, if these are nearly all.
  private var wrapped: Int? {
    guard let match = layoutMatch else { return nil }
    let count = tuned.tensors.count - match.keys.onlyInTuned.count
    return count * 10 >= tuned.tensors.count * 9 ? count : nil
  }

  var layoutMatch: LayoutMatch? {
    try? LayoutMatch.find(
      tuned: tuned.tensors, base: base.tensors,
      configs: [base, tuned].compactMap { $0.checkpoint.config })
  }

  private static func reasonWithoutTensors(_ side: Side, adapterOf only: [TensorInfo]) -> (String, String)? {
    if side.tensors.isEmpty { return ("holds no tensors", "give a whole model") }
    guard only.count == side.tensors.count, let text = adapterText(only) else { return nil }
    let isPlain = only.allSatisfy { AdapterTensors.kind(of: $0.name) == "LoRA" }
    return (
      text,
      isPlain ? "give the adapter's folder, which also has \(PEFTConfig.fileName)" : OtherForm.mergeRemedy
    )
  }

  /// Whether two tensors have the same shape, or rows of the same length.
  private static func isAlike(_ a: TensorInfo, _ b: TensorInfo) -> Bool {
    a.shape == b.shape
      || (a.shape.count >= 2 && a.shape.count == b.shape.count && a.shape.dropFirst() == b.shape.dropFirst())
  }

  // MARK: Adapters

  /// "is a LoRA adapter, not a model: …"; nil where no tensor belongs to an adapter.
  private static func adapterText(_ tensors: [TensorInfo]) -> String? {
    let found = tensors.compactMap { tensor in AdapterTensors.kind(of: tensor.name).map { (tensor.name, $0) } }
    guard let (name, kind) = found.first else { return nil }
    return "is a \(kind) adapter, not a model: \(Format.counted(found.count, "tensor")) such as \"\(name.printable)\" "
      + "are added to a model when it is loaded"
  }

  private func adapter(in tensors: [TensorInfo], ofBase: Bool) -> Problem? {
    let found = tensors.compactMap { tensor in AdapterTensors.kind(of: tensor.name).map { (tensor.name, $0) } }
    guard let (name, kind) = found.first else { return nil }
    return Problem(
      ofBase: ofBase,
      "holds unmerged \(kind) adapters: \(Format.counted(found.count, "tensor")) such as \"\(name.printable)\"",
      OtherForm.mergeRemedy + ", or accept it with \(ofBase ? "--allow-removals" : "--allow-additions")")
  }

  // MARK: Quantised tensors

  /// - Parameter asItIs: whether options would accept it.
  private func quantised(_ removed: [TensorInfo], _ added: [TensorInfo], asItIs: Bool) -> Problem? {
    func kinds(_ tensors: [TensorInfo], of side: Side) -> (tensor: String, kind: String)? {
      tensors.lazy.compactMap { info in
        QuantisationTensors.kind(of: info.name).map { (info.name, $0) }
          ?? side.units.unit(of: info.name).map { _ in (info.name, "codes with scales") }
      }.first
    }
    let isPlain = (base: kinds(base.tensors, of: base) == nil, tuned: kinds(tuned.tensors, of: tuned) == nil)
    let all = [removed.isEmpty ? nil : "--allow-removals", added.isEmpty ? nil : "--allow-additions"].compactMap(\.self)
    let otherWay = asItIs ? ", or accept it with \(all.joined(separator: " and "))" : ""
    if isPlain.base, let (name, kind) = kinds(added, of: tuned) {
      return Problem(
        "is quantised (\(tuned.config.quantisation ?? kind): \"\(name.printable)\") and the base is not: it holds codes "
          + "where the base has numbers",
        "give the tuned model before quantisation" + otherWay)
    }
    if isPlain.tuned, let (name, kind) = kinds(removed, of: base) {
      return Problem(
        "is not quantised and the base is (\(base.config.quantisation ?? kind): \"\(name.printable)\"): it holds numbers "
          + "where the base has codes",
        "give the unquantised base that the training started from" + otherWay)
    }
    return nil
  }

  /// With `--partial`: a quantised weight of which only a part is in the tuned file.
  private var scalesLeftBehind: Problem? {
    for (a, b) in shared {
      guard let unit = base.units.unit(of: a.name),
        let left = unit.names.first(where: { !tuned.names.contains($0.bytesKey) })
      else { continue }
      guard a.dtype == b.dtype else {
        return Problem(
          "holds \"\(b.name.printable)\" as \(b.dtype) where the base has codes (\(a.dtype)) with scales, which would stay",
          "give the unquantised base that the training started from")
      }
      return Problem(
        "holds \"\(b.name.printable)\" but not \"\(left.printable)\", which belongs to the same codes and would remain",
        "save both")
    }
    return nil
  }
}
