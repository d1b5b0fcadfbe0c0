/// JSON files in a model's folder: configs, and tokenizers.
public enum ModelFile {
  /// - Parameter limit: more bytes than such a file has.
  /// - Throws: `invalid` for what is not JSON; `io` for what cannot be read.
  public static func read(_ path: String, limit: Int = 64 << 20) throws -> JSON {
    try parse(InputFile.contents(of: path, limit: limit), path)
  }

  /// The JSON of a file that has been read.
  public static func parse(_ bytes: [UInt8], _ path: String) throws -> JSON {
    do {
      return try JSON.parse(bytes)
    } catch let error as JSONError {
      throw VPatchError(
        .invalid, path, "is not valid JSON: \(error.reason)", remedy: "copy it from where the model came from")
    }
  }

  /// Nil where the folder has no such file.
  public static func read(_ folder: String, _ name: String) throws -> JSON? {
    let path = Path.join(folder, name)
    return try PathKind.of(path) == .missing ? nil : read(path)
  }
}
