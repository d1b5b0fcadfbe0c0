import Base

extension VisionConfig {
  /// Reads members of a config and reports invalid ones.
  package struct Keys {
    let reader: ObjectReader<VPatchError>
    package let path: String

    /// - Parameter json: a value that is not an object has no members.
    init(_ json: JSON, _ path: String) {
      self.path = path
      reader = ObjectReader(json.object ?? []) { reason, _, remedy in
        VPatchError(.invalid, path, reason, remedy: remedy ?? "use the original file of the model")
      }
    }

    /// - Parameter what: the invalid thing in the config.
    package func wrong(_ what: String) -> VPatchError { reader.error("has \(what)") }

    package func missing(_ key: String) -> VPatchError { wrong("no usable \"\(key)\" for its images") }

    package func refused(_ key: String, _ value: String, known: String) -> VPatchError {
      VPatchError(
        .refused, path, "has the unknown \(key) \"\(value.printable)\"", remedy: "known are \(known)")
    }

    /// Above any real model. Products of three such numbers fit an Int.
    package static let most = 1 << 20
    /// For numbers that are also squared: patches per side of a merged square, pixels per side of a patch.
    static let mostOfPatch = 1 << 10

    package func positive(_ key: String, _ standard: Int? = nil, most: Int = most) throws -> Int {
      try positive([key], standard, most: most)
    }

    /// The value of the first of these names that exists.
    package func positive(_ keys: [String], _ standard: Int?, most: Int = most) throws -> Int {
      guard let key = keys.first(where: reader.has), let value = reader.optional(key) else {
        if let standard { return standard }
        throw missing(keys[0])
      }
      // Some configs write the side of a square twice.
      let sides = value.array?.map(Self.integer) ?? [Self.integer(value)]
      guard let number = sides.first ?? nil, sides.allSatisfy({ $0 == number }), (1...most).contains(number) else {
        throw missing(key)
      }
      return number
    }

    package func activation(_ key: String, _ standard: Activation) throws -> Activation {
      guard let value = reader.optional(key) else { return standard }
      guard let name = value.string else { throw missing(key) }
      guard let activation = Activation(rawValue: name) else {
        throw refused(key, name, known: "gelu, gelu_pytorch_tanh, quick_gelu")
      }
      return activation
    }

    /// Indices into the hidden states of a tower. Negative ones count from the end.
    package func layers(_ key: String, _ standard: Int, of tower: Tower) throws -> [Int] {
      let values: [JSON] =
        switch reader.optional(key) {
        case nil: [JSON(standard)]
        case .array(let list): list
        case let one?: [one]
        }
      let states = tower.layers + 1
      let layers = values.compactMap(Self.integer).filter { (-states..<states).contains($0) }
      guard !layers.isEmpty, layers.count == values.count else {
        throw wrong("no usable \"\(key)\": the hidden states of its vision tower are \(-states) to \(states - 1)")
      }
      return layers.map { $0 < 0 ? $0 + states : $0 }
    }

    package func token(_ keys: [String], _ standard: Int) throws -> Int32 {
      guard let key = keys.first(where: reader.has), let value = reader.optional(key) else { return Int32(standard) }
      guard let id = Self.integer(value).flatMap(Int32.init(exactly:)) else { throw missing(key) }
      return id
    }

    /// `image_grid_pinpoints`; nil where there are none.
    package func grids() throws -> [Grid]? {
      guard let value = reader.optional("image_grid_pinpoints") else { return nil }
      let grids = (value.array ?? []).compactMap { pair -> Grid? in
        let sides = pair.array?.compactMap(\.int).filter { (1...Self.most).contains($0) } ?? []
        return sides.count == 2 && pair.array?.count == 2 ? Grid(height: sides[0], width: sides[1]) : nil
      }
      guard !grids.isEmpty, grids.count == value.array?.count else { throw missing("image_grid_pinpoints") }
      return grids
    }

    /// The number of tiles in `anyres_max_9`.
    package func limit(_ aspect: String) throws -> Int {
      guard aspect.hasPrefix("anyres_max_"), let limit = Int(aspect.dropFirst("anyres_max_".count)),
        (1...Self.most).contains(limit)
      else {
        throw refused("vision_aspect_ratio", aspect, known: "anyres_max_9 and other numbers")
      }
      return limit
    }

    package static func integer(_ json: JSON) -> Int? { json.int ?? json.double.flatMap { Int(exactly: $0) } }
  }
}
