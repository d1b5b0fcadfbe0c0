import Base

/// The fields of a `preprocessor_config.json`, in all their forms.
struct ConfigFields {
  private let reader: ObjectReader<VPatchError>

  /// - Throws: `invalid` for a value that is not an object.
  init(_ json: JSON, path: String) throws {
    func failure(_ reason: String, remedy: String?) -> VPatchError {
      VPatchError(.invalid, path, reason, remedy: remedy ?? "use the file that came with the model")
    }
    guard let members = json.object else { throw failure("is not an object", remedy: nil) }
    reader = ObjectReader(members) { reason, _, remedy in failure(reason, remedy: remedy) }
  }

  private func failure(_ reason: String) -> VPatchError { reader.error(reason) }

  private func value(_ name: String) -> JSON? { reader.optional(name) }

  private func needed(_ name: String) throws -> JSON {
    guard let value = value(name) else { throw failure("has no \"\(name)\"") }
    return value
  }

  func type() throws -> ProcessorType {
    guard let value = value("image_processor_type") ?? value("feature_extractor_type") else {
      throw failure("has no \"image_processor_type\"")
    }
    guard let name = value.string, let type = ProcessorType(name: name) else {
      let known = ProcessorType.names.map(\.key).joined(separator: ", ")
      throw reader.error(
        "has the unknown image_processor_type \(value.compact)",
        remedy: "known are, with or without Fast: \(known)")
    }
    return type
  }

  func flag(_ name: String, default standard: Bool = true) throws -> Bool {
    try reader.optionalBool(name) ?? standard
  }

  func number(_ name: String, default standard: Double) throws -> Double {
    try reader.optional(name, "a number", \.double) ?? standard
  }

  private func whole(_ value: JSON, _ name: String) throws -> Int {
    guard let number = value.int else { throw failure("\(name) is \(value.compact), not an integer") }
    return number
  }

  func resample() throws -> Resample {
    guard let value = value("resample") else { return .bicubic }
    guard let resample = value.int.flatMap(Resample.init(rawValue:)) else {
      throw failure("resample is \(value.compact); known are 0 (nearest), 1 (Lanczos), 2 (bilinear), 3 (bicubic)")
    }
    return resample
  }

  func normalization() throws -> Normalization {
    func colors(_ name: String) throws -> [Double] {
      let value = try needed(name)
      let numbers = value.array?.compactMap(\.double) ?? value.double.map { [$0, $0, $0] } ?? []
      guard numbers.count == 3, value.array.map({ $0.count == 3 }) ?? true else {
        throw failure("\(name) is \(value.compact), not one number for each of three colours")
      }
      return numbers
    }
    return try Normalization(mean: colors("image_mean"), deviation: colors("image_std"))
  }

  /// `size`: a number, a pair of height and width, `{height, width}` or `{shortest_edge}`.
  func size(isNeeded: Bool) throws -> ImageSize? {
    guard isNeeded || value("size") != nil else { return nil }
    let value = try needed("size")
    if let edge = value.int {
      let isSquare = try flag("default_to_square", default: false)
      return isSquare ? .exact(PixelSize(width: edge, height: edge)) : .shortestEdge(edge)
    }
    if let edge = value["shortest_edge"], value.object?.count == 1 {
      return .shortestEdge(try whole(edge, "size's shortest_edge"))
    }
    return .exact(try pixelSize(value, "size"))
  }

  /// `crop_size`: a number, a pair of height and width, or `{height, width}`.
  func cropSize(isNeeded: Bool) throws -> PixelSize? {
    guard isNeeded || value("crop_size") != nil else { return nil }
    let value = try needed("crop_size")
    if let side = value.int { return PixelSize(width: side, height: side) }
    return try pixelSize(value, "crop_size")
  }

  private func pixelSize(_ value: JSON, _ name: String) throws -> PixelSize {
    if let pair = value.array, pair.count == 2 {
      return PixelSize(width: try whole(pair[1], name), height: try whole(pair[0], name))
    }
    guard let height = value["height"], let width = value["width"], value.object?.count == 2 else {
      throw failure("\(name) is \(value.compact), which is not a known form")
    }
    return PixelSize(width: try whole(width, "\(name)'s width"), height: try whole(height, "\(name)'s height"))
  }

  func resolutions() throws -> [PixelSize] {
    let value = try needed("image_grid_pinpoints")
    guard let pairs = value.array, pairs.allSatisfy({ $0.array?.count == 2 }) else {
      throw failure("image_grid_pinpoints is \(value.compact), not a list of pairs of height and width")
    }
    return try pairs.map { try pixelSize($0, "image_grid_pinpoints") }
  }

  /// Qwen's limits are in `size`, or in the older `min_pixels` and `max_pixels`, which have precedence.
  func patchRules() throws -> PatchRules {
    func bound(_ old: String, _ new: String) throws -> Int {
      if let value = value(old) { return try whole(value, old) }
      guard let value = value("size")?[new] else { throw failure("size's \(new), or \(old), is missing") }
      return try whole(value, "size's \(new)")
    }
    return try PatchRules(
      patch: whole(needed("patch_size"), "patch_size"), merge: whole(needed("merge_size"), "merge_size"),
      temporal: whole(needed("temporal_patch_size"), "temporal_patch_size"),
      minimalPixels: bound("min_pixels", "shortest_edge"), maximalPixels: bound("max_pixels", "longest_edge"))
  }
}

extension JSON {
  /// As short text for an error.
  fileprivate var compact: String {
    let text = String(decoding: canonical(), as: UTF8.self)
    return text.count <= 60 ? text : text.prefix(57) + "…"
  }
}
