/// What a file is that is not what a command expects: told by its first bytes and, where they are not enough, its name.
package enum FileForm: String, Sendable, CaseIterable {
  case pickle, gguf, numpy, hdf5, msgpack, onnx, parquet, arrow, lfsPointer, gzip, zstd, bzip2, xz, zip, webPage, json
  case safetensors

  /// How many of a file's first bytes tell what it is.
  package static let headSize = 512

  /// - Parameters:
  ///   - head: the first bytes of the file, as many as it has up to `headSize`.
  ///   - name: the file's name or path.
  /// - Returns: nil for an unknown form.
  package static func of(head: [UInt8], name: String) -> FileForm? {
    let name = name.lowercased()
    for (start, form) in starts where head.starts(with: start) { return form }
    if head.starts(with: Array("PK\u{3}\u{4}".utf8)) {
      // The name of the zip's first entry: torch.save writes "NAME/data.pkl", numpy.savez "NAME.npy".
      let entry = String(decoding: head.dropFirst(30).prefix(200), as: UTF8.self)
      if entry.contains(".npy") || name.hasSuffix(".npz") { return .numpy }
      let isTorch = entry.contains("data.pkl") || [".bin", ".pt", ".pth", ".ckpt"].contains { name.hasSuffix($0) }
      return isTorch ? .pickle : .zip
    }
    if head.count > 1, head[0] == 0x80, (2...5).contains(head[1]) { return .pickle }
    if isHeader(head) { return .safetensors }
    if head.first == UInt8(ascii: "{") { return name.hasSuffix(".json") ? .json : nil }
    let text = String(decoding: head.prefix(256), as: UTF8.self).lowercased().drop(while: \.isWhitespace)
    if ["<!doctype html", "<html", "<?xml", "<head", "<!--"].contains(where: text.hasPrefix) { return .webPage }
    // A message of ONNX: the version of its format, then the name of the program that wrote it.
    if head.count > 3, head[0] == 0x08, head[1] < 0x20, head[2] == 0x12 { return .onnx }
    return endings.first { name.hasSuffix($0.ending) }?.form
  }

  package static func of(_ file: InputFile) throws -> FileForm? {
    of(head: try file.read(0..<min(file.size, headSize)), name: file.path)
  }

  private static let starts: [(start: [UInt8], form: FileForm)] = [
    (Array("GGUF".utf8), .gguf), (Array("GGML".utf8), .gguf), (Array("ggjt".utf8), .gguf),
    ([0x89, 0x48, 0x44, 0x46], .hdf5), ([0x93, 0x4E, 0x55, 0x4D], .numpy), (Array("PAR1".utf8), .parquet),
    (Array("ARROW1".utf8), .arrow), (Array("version https://git-lfs".utf8), .lfsPointer), ([0x1F, 0x8B], .gzip),
    ([0x28, 0xB5, 0x2F, 0xFD], .zstd), (Array("BZh".utf8), .bzip2), ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], .xz),
  ]

  private static let endings: [(ending: String, form: FileForm)] = [
    (".h5", .hdf5), (".msgpack", .msgpack), (".onnx", .onnx), (".npz", .numpy),
  ]

  /// A safetensors header: its length in eight bytes, then JSON.
  private static func isHeader(_ head: [UInt8]) -> Bool {
    head.count > 9 && head[8] == UInt8(ascii: "{") && head[5..<8].allSatisfy { $0 == 0 }
  }

  // MARK: Words

  /// "is a GGUF file, a model converted for llama.cpp"
  package var what: String {
    switch self {
    case .pickle: "is a PyTorch file (a pickle), not in safetensors form"
    case .gguf: "is a GGUF file, a model converted for llama.cpp"
    case .numpy: "is a NumPy file"
    case .hdf5: "is an HDF5 file (TensorFlow, Keras)"
    case .msgpack: "is a msgpack file (Flax)"
    case .onnx: "is an ONNX file"
    case .parquet: "is a Parquet table"
    case .arrow: "is an Arrow table"
    case .lfsPointer: "is a Git LFS pointer: the file itself was not downloaded"
    case .gzip, .zstd, .bzip2, .xz, .zip: "is a compressed file (\(rawValue))"
    case .webPage: "is a web page, such as the error of a download"
    case .json: "is a JSON file"
    case .safetensors: "is a safetensors file"
    }
  }

  /// What to do where weights are expected: the line that converts the file, or the command that takes it.
  package func weightsRemedy(_ path: String) -> String {
    switch self {
    case .pickle:
      "convert it: python3 -c \"import sys, torch; from safetensors.torch import save_file; "
        + "t = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
        + "save_file({k: v.clone() for k, v in t.items()}, sys.argv[2])\" "
        + "\(Path.shellWord(path)) \(Path.shellWord(Self.replacingEnding(path, "safetensors")))"
    case .gguf: "give the model in safetensors form, as it was before it was converted"
    case .onnx: "give the model in safetensors form, as it was before it was exported"
    case .numpy, .hdf5, .msgpack: "load it with the library that wrote it, and save it in safetensors form"
    case .parquet, .arrow: "give a model; 'vpatch train --data' takes rows, as JSON Lines"
    case .json: "give the model's folder: \(Path.parent(path))"
    case .safetensors: "give it as it is"
    case .lfsPointer, .gzip, .zstd, .bzip2, .xz, .zip, .webPage: fileRemedy(path)
    }
  }

  /// What to do where rows of text are expected.
  package func rowsRemedy(_ path: String) -> String {
    switch self {
    case .parquet, .arrow:
      "convert it: python3 -c \"import pandas, sys; pandas.read_\(self == .arrow ? "feather" : rawValue)(sys.argv[1])"
        + ".to_json('rows.jsonl', orient='records', lines=True)\" \(path == "-" ? "FILE" : Path.shellWord(path))"
    case .lfsPointer, .gzip, .zstd, .bzip2, .xz, .zip, .webPage: fileRemedy(path)
    default: "give JSON Lines, a JSON array or CSV"
    }
  }

  /// What to do where a patch is expected.
  package func patchRemedy(_ path: String) -> String {
    switch self {
    case .safetensors: "'vpatch create BASE \(path.printable) -o task.vpatch' makes a patch of a tuned model"
    case .lfsPointer, .gzip, .zstd, .bzip2, .xz, .zip, .webPage: fileRemedy(path)
    default: "give a .vpatch file, or the name of a patch in the store"
    }
  }

  /// What to do about a file that was packed or not downloaded.
  private func fileRemedy(_ path: String) -> String {
    let word = path == "-" ? "FILE" : Path.shellWord(path)
    let unpacked = Path.shellWord(path.lastIndex(of: ".").map { String(path[..<$0]) } ?? path + ".unpacked")
    return switch self {
    case .lfsPointer:
      "download it: git -C \(Path.shellWord(Path.parent(path))) lfs pull --include \(Path.shellWord(Path.name(path)))"
    case .gzip: "decompress it: gzip -dc \(word) > \(unpacked)"
    case .zstd: "decompress it: zstd -dc \(word) > \(unpacked)"
    case .bzip2: "decompress it: bzip2 -dc \(word) > \(unpacked)"
    case .xz: "decompress it: xz -dc \(word) > \(unpacked)"
    case .zip: "unpack it: python3 -m zipfile -e \(word) ."
    default:
      "download the file itself: on a Hugging Face hub, the link with /resolve/ in place of /blob/"
    }
  }

  private static func replacingEnding(_ path: String, _ ending: String) -> String {
    let (folder, name) = (Path.parent(path), Path.name(path))
    let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
    return Path.join(folder, "\(stem).\(ending)")
  }
}
