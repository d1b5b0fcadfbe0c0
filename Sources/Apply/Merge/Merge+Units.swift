import Base
import Checkpoints
import PatchFormat

// Quantised weights in a stack (spec/stacks.md, section 4.1): each is taken as a whole, bit for bit, from one member or
// from the base.

extension Merge {
  func checkUnit(_ unit: QuantisedUnits.Unit) throws {
    let members = zip(patches, rule.members).compactMap { patch, member in
      member.map { (patch: patch, scale: $0.scale) }
    }
    let contributors = members.filter { $0.patch.touches(unit) }
    guard let first = contributors.first?.patch else { return }
    for (other, _) in contributors.dropFirst()
    where unit.names.contains(where: { first.tensor(named: $0)?.target != other.tensor(named: $0)?.target }) {
      throw VPatchError(
        .refused, other.label,
        "conflicts with \(first.label): the one \(other.does(to: unit)), the other \(first.does(to: unit)), "
          + "and codes and scales of two patches cannot be added",
        remedy: "leave one of the two patches out, or combine patches of the dequantised model")
    }
    guard definition.method.towardBase == 0 else {
      throw VPatchError(
        .refused, first.label, "cannot be moved toward its base: it \(first.does(to: unit)), which has no middle",
        remedy: "give --toward-base 0")
    }
    let method = definition.method.kind.rawValue
    if rule.isMean, let other = members.first(where: { !$0.patch.touches(unit) })?.patch {
      throw VPatchError(
        .refused, other.label,
        "conflicts with \(first.label) in the method \(method): that one \(first.does(to: unit)), this one "
          + "does not, and codes and scales cannot be averaged",
        remedy: "use the method sum, and give \(first.label) the scale 1")
    }
    if !rule.isMean, let scaled = contributors.first(where: { $0.scale != 1 }) {
      throw VPatchError(
        .refused, scaled.patch.label,
        "cannot be scaled by \(scaled.scale.shortest): it \(scaled.patch.does(to: unit)), and codes cannot "
          + "be scaled",
        remedy: "give it the scale 1")
    }
    // Any method copies tensors that are not floats; it copies floats only if nothing is added to them.
    guard unit.names.compactMap({ tensor($0) }).contains(where: { $0.isMergeable && exactCopy($0) == nil }) else {
      return
    }
    guard contributors.count == 1 else {
      throw VPatchError(
        .refused, contributors[1].patch.label,
        "conflicts with \(first.label): both make the same change to the quantised weight "
          + "\"\(unit.codes.printable)\", and codes and scales of two patches cannot be added",
        remedy: "leave all but one of them out")
    }
    throw VPatchError(
      .refused, first.label,
      "cannot be used with the method \(method): it \(first.does(to: unit)), of which the method keeps only a part",
      remedy: "use the method sum")
  }

  /// A folder whose config says that it is quantised has float8 codes, whatever the names of their scales.
  /// - Throws: `refused` where the stack would compute with such codes.
  func checkFloat8(of base: SafetensorsCheckpoint) throws {
    let computed = tensors.first { tensor in
      tensor.isMergeable && tensor.base!.info.dtype.isFloat8 && units.unit(of: tensor.name) == nil
        && exactCopy(tensor) == nil
    }
    guard definition.method.rest != 0, let computed, let method = try base.quantisation else { return }
    throw VPatchError(
      .refused, base.path,
      "is quantised (\(method)), as its config.json says, and the stack would add float8 codes: no scale with a known "
        + "name exists beside \"\(computed.name.printable)\"",
      remedy: "leave patches out until only one changes it, in the method sum at scale 1; or, if these are plain "
        + "numbers, remove quantization_config from config.json")
  }
}

extension Patch {
  func touches(_ unit: QuantisedUnits.Unit) -> Bool {
    unit.names.contains { tensor(named: $0).map { $0.operation != .same } ?? false }
  }

  /// What the patch does to a quantised weight that it touches: "changes the quantised weight …".
  func does(to unit: QuantisedUnits.Unit) -> String {
    let touched = unit.names.compactMap { tensor(named: $0) }.filter { $0.operation != .same }
    let codes = "the quantised weight \"\(unit.codes.printable)\""
    if let same = touched.first(where: { $0.name.isSame(as: unit.codes) }) { return "\(same.operation.verb) \(codes)" }
    return "\(touched[0].operation.verb) \"\(touched[0].name.printable)\", which is part of \(codes)"
  }
}

extension DType {
  var isFloat8: Bool { name == "F8_E4M3" || name == "F8_E5M2" }
}

extension SafetensorsCheckpoint {
  /// The quantisation method in a folder's config.json; nil where there is none.
  package var quantisation: String? {
    get throws {
      guard isDirectory else { return nil }
      let path = Path.join(path, "config.json")
      guard try PathKind.of(path) == .file else { return nil }
      // Text that is not JSON says nothing about quantisation.
      guard let config = try? JSON.parse(InputFile.contents(of: path, limit: 16 << 20)) else { return nil }
      let said = [config, config["text_config"], config["llm_config"]].lazy.compactMap { $0?["quantization_config"] }
      return said.first { $0.object != nil }.map { $0["quant_method"]?.string ?? "quantization_config" }
    }
  }
}
