import Base

/// The folder of a model, for those who read what lies beside the weights: configs, tokenizer, chat template. Patches that
/// are put over the weights in memory may make some of these files another.
package struct ModelFolder: Sendable {
  package let path: String
  /// By the bytes of a name: what a patch makes of the file; nil where it takes it away.
  private let made: [String: [UInt8]?]

  /// - Parameter made: files as patches make them, in place of those in the folder.
  package init(_ path: String, made: [(name: String, contents: [UInt8]?)] = []) {
    self.path = path
    self.made = made.reduce(into: [:]) { $0.updateValue($1.contents, forKey: $1.name.bytesKey) }
  }

  /// Whether a patch makes a file another than it is in the folder.
  package var isPatched: Bool { !made.isEmpty }

  /// Where a file is, or would be.
  package func path(of name: String) -> String { Path.join(path, name) }

  /// - Throws: `io` where it cannot be looked at.
  package func contains(_ name: String) throws -> Bool {
    if let contents = made[name.bytesKey] { return contents != nil }
    return try PathKind.of(path(of: name)) != .missing
  }

  /// - Parameter limit: more bytes than such a file has.
  /// - Throws: `io` for what is missing or cannot be read, `invalid` for a larger file.
  package func contents(of name: String, limit: Int) throws -> [UInt8] {
    if case let contents?? = made[name.bytesKey] { return contents }
    return try InputFile.contents(of: path(of: name), limit: limit)
  }

  /// - Throws: `refused` where an adapter lies beside the weights: transformers computes with both.
  package func requireNoAdapter() throws {
    let adapter = "adapter_config.json"
    guard try contains(adapter) else { return }
    throw VPatchError(
      .refused, path,
      "has an adapter beside the model (\(adapter)), which transformers puts over it where PEFT is there",
      remedy: "merge it (in PEFT: merge_and_unload, then save_pretrained), or move it to a folder of its own")
  }

  /// A file of JSON; nil where there is none of the name.
  /// - Throws: `invalid` for what is not JSON; `io` for what cannot be read.
  package func json(_ name: String) throws -> JSON? {
    guard try contains(name) else { return nil }
    return try JSON.parse(contents(of: name, limit: 64 << 20), file: path(of: name))
  }
}

extension JSON {
  /// The JSON of a model's file that has been read.
  /// - Throws: `invalid` for what is not JSON.
  package static func parse(_ bytes: [UInt8], file path: String) throws -> JSON {
    do {
      return try parse(bytes)
    } catch let error as JSONError {
      throw VPatchError(
        .invalid, path, "is not valid JSON: \(error.reason)", remedy: "copy it from where the model came from")
    }
  }
}
