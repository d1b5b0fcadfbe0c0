import Base

/// A part of a tokenizer.json: the JSON, and its place for errors.
struct TokenizerPart {
  let path: String
  /// "pre_tokenizer.pretokenizers[1]"
  let place: String
  let json: JSON

  func error(_ reason: String, remedy: String? = nil) -> VPatchError {
    VPatchError(.invalid, path, place.isEmpty ? reason : "\(place): \(reason)", remedy: remedy)
  }

  /// The error for valid content that is not supported exactly as in Hugging Face's code.
  func unsupported(_ what: String, supported: String) -> VPatchError {
    VPatchError(
      .refused, path, "\(place): \(what) is not supported", remedy: "supported: \(supported)")
  }

  /// The member with that key; nil if it is missing or null.
  func part(_ key: String) -> TokenizerPart? {
    guard let value = json[key], value != .null else { return nil }
    return child(key, value)
  }

  /// A member that was already found.
  func child(_ key: String, _ json: JSON) -> TokenizerPart {
    TokenizerPart(path: path, place: place.isEmpty ? key : "\(place).\(key)", json: json)
  }

  func require(_ key: String) throws -> TokenizerPart {
    guard let part = part(key) else { throw error("has no \"\(key)\"") }
    return part
  }

  func elements(_ key: String) throws -> [TokenizerPart] {
    let list = try require(key)
    guard let array = list.json.array else { throw list.error("is not a list") }
    return array.enumerated().map { TokenizerPart(path: path, place: "\(list.place)[\($0)]", json: $1) }
  }

  func string(_ key: String) throws -> String {
    let part = try require(key)
    guard let string = part.json.string else { throw part.error("is not a string") }
    return string
  }

  /// - Parameter fallback: Hugging Face's default if the key is missing.
  func bool(_ key: String, default fallback: Bool? = nil) throws -> Bool {
    guard let part = part(key) else {
      guard let fallback else { throw error("has no \"\(key)\"") }
      return fallback
    }
    guard let bool = part.json.bool else { throw part.error("is neither true nor false") }
    return bool
  }

  func int(_ key: String) throws -> Int {
    let part = try require(key)
    guard let int = part.json.int else { throw part.error("is not an integer") }
    return int
  }

  /// A string of one character.
  func scalar(_ key: String) throws -> Unicode.Scalar {
    let text = Array(try string(key).unicodeScalars)
    guard text.count == 1 else { throw error("\"\(key)\" is not one character") }
    return text[0]
  }

  var type: String {
    get throws { try string("type") }
  }
}
