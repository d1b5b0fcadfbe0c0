import Base
import Checkpoints

/// Corrects the dtype in a `config.json` after a cast. transformers loads a model in that dtype, so a stale float32
/// would undo the cast's saving.
enum ConfigDType {
  package static let fileName = "config.json"
  private static let keys = ["dtype", "torch_dtype"]

  /// PyTorch's names of the float dtypes.
  private static let names = [
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
  ]
  private static let floats = Set(names.values).union(["float", "double", "half"])

  /// Replaces each float `dtype` and `torch_dtype` in the text: by the base's value at the same place, else by the one
  /// at the base's top level, else by the cast's dtype. All other bytes stay.
  /// - Returns: the new text with the old and the new value; nil where nothing changes or the text is not JSON.
  static func adapted(
    _ text: [UInt8], base: [UInt8]?, cast: DType
  ) -> (text: [UInt8], from: String, to: String)? {
    guard (try? JSON.parse(text)) != nil else { return nil }
    let base = base.flatMap { try? JSON.parse($0) }
    var changed = text
    var first: (from: String, to: String)?
    // Backwards, so that earlier ranges stay valid.
    for claim in claims(text).reversed() {
      guard let name = claimed(base, at: claim.path) ?? claimed(base, at: []) ?? names[cast.name], name != claim.name
      else { continue }
      changed.replaceSubrange(claim.range, with: Array(name.utf8))
      first = (claim.name, name)
    }
    return first.map { (changed, $0.from, $0.to) }
  }

  private static func claimed(_ config: JSON?, at path: [String]) -> String? {
    var part = config
    for key in path { part = part?[key] }
    return keys.lazy.compactMap { part?[$0]?.string }.first
  }

  private struct Claim {
    /// The keys of the enclosing objects.
    let path: [String]
    let name: String
    /// The range of the value, without its quotes.
    let range: Range<Int>
  }

  /// - Parameter text: valid JSON.
  private static func claims(_ text: [UInt8]) -> [Claim] {
    var found: [Claim] = []
    /// The current key in each open object; empty strings for arrays.
    var path: [String] = []
    var isObject: [Bool] = []
    var isKey = false
    var i = 0
    while i < text.count {
      switch text[i] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        isObject.append(text[i] == UInt8(ascii: "{"))
        path.append("")
        isKey = isObject.last!
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        isObject.removeLast()
        path.removeLast()
      case UInt8(ascii: ","): isKey = isObject.last ?? false
      case UInt8(ascii: ":"): isKey = false
      case UInt8(ascii: "\""):
        let start = i + 1
        i = start
        while text[i] != UInt8(ascii: "\"") { i += text[i] == UInt8(ascii: "\\") ? 2 : 1 }
        let string = String(decoding: text[start..<i], as: UTF8.self)
        if isKey {
          path[path.count - 1] = string
        } else if isObject.last == true, keys.contains(path.last!), floats.contains(string) {
          found.append(Claim(path: path.dropLast(), name: string, range: start..<i))
        }
      default: break
      }
      i += 1
    }
    return found
  }
}
