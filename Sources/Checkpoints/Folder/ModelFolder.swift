import Base

/// A model's folder, for reading the files beside the weights: configs, tokenizer, chat template. Patches that are
/// applied to the weights in memory may replace some of these files.
package struct ModelFolder: Sendable {
  /// The settings of a PEFT adapter.
  package static let adapterConfigName = "adapter_config.json"

  package let path: String
  /// Maps a file name (as `bytesKey`) to its contents after the patches; nil where they remove the file.
  private let made: [String: [UInt8]?]

  /// - Parameter made: files as patches make them, in place of those in the folder.
  package init(_ path: String, made: [(name: String, contents: [UInt8]?)] = []) {
    self.path = path
    self.made = made.reduce(into: [:]) { $0.updateValue($1.contents, forKey: $1.name.bytesKey) }
  }

  /// Whether patches change any file of the folder.
  package var isPatched: Bool { !made.isEmpty }

  /// The path of a file, whether or not it exists.
  package func path(of name: String) -> String { Path.join(path, name) }

  /// - Throws: `io` where the file cannot be examined.
  package func contains(_ name: String) throws -> Bool {
    if let contents = made[name.bytesKey] { return contents != nil }
    return try PathKind.of(path(of: name)) != .missing
  }

  /// - Parameter limit: maximum size in bytes.
  /// - Throws: `io` where the file is missing or cannot be read; `invalid` for a larger one.
  package func contents(of name: String, limit: Int) throws -> [UInt8] {
    if case let contents?? = made[name.bytesKey] { return contents }
    return try InputFile.contents(of: path(of: name), limit: limit)
  }

  /// - Throws: `refused` if an adapter lies beside the weights: transformers would apply both.
  package func requireNoAdapter() throws {
    guard try contains(Self.adapterConfigName) else { return }
    throw VPatchError(
      .refused, path,
      "has an adapter beside the model (\(Self.adapterConfigName)), which transformers applies too if PEFT is installed",
      remedy: "merge it (in PEFT: merge_and_unload, then save_pretrained), or move it to another folder")
  }

  /// A parsed JSON file; nil where there is no such file.
  /// - Throws: `invalid` for what is not JSON; `io` where it cannot be read.
  package func json(_ name: String) throws -> JSON? {
    guard try contains(name) else { return nil }
    return try JSON.parse(contents(of: name, limit: 64 << 20), file: path(of: name))
  }
}

extension Checkpoint {
  /// The model's `config.json`; nil for a checkpoint that is a single file, or where it cannot be read.
  package var config: JSON? { isDirectory ? try? ModelFolder(path).json("config.json") : nil }
}

extension JSON {
  /// Parses the contents of a model's JSON file.
  /// - Throws: `invalid` for what is not JSON.
  package static func parse(_ bytes: [UInt8], file path: String) throws -> JSON {
    do {
      return try parse(bytes)
    } catch let error as JSONError {
      throw VPatchError(
        .invalid, path, "is not valid JSON: \(error.reason)", remedy: "copy it again from the model's source")
    }
  }
}
