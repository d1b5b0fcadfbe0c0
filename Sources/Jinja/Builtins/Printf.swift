import Glibc

/// Formats floats with C's `printf`, which rounds correctly, like Python.
enum Printf {
  /// With `precision` digits after the point.
  static func fixed(_ x: Double, _ precision: Int) -> String { string("%.\(precision)f", x) }

  /// - Parameter format: for one double.
  static func string(_ format: String, _ x: Double) -> String {
    let size = withVaList([x]) { vsnprintf(nil, 0, format, $0) }
    var buffer = [CChar](repeating: 0, count: Int(size) + 1)
    _ = withVaList([x]) { vsnprintf(&buffer, buffer.count, format, $0) }
    return String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
