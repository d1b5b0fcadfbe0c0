import Foundation

/// Writes into a file that others have open, as a careless program would.
enum InPlace {
  static func write(_ bytes: [UInt8], to path: String) throws {
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.write(contentsOf: Data(bytes))
    try handle.close()
  }
}
