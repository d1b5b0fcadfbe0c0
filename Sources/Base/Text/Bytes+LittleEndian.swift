extension String {
  /// The length as `u32`, little-endian, and the UTF-8 bytes.
  package var lengthPrefixed: [UInt8] {
    [UInt8](littleEndian: UInt32(utf8.count)) + Array(utf8)
  }
}

extension [UInt8] {
  package init<T: FixedWidthInteger>(littleEndian value: T) {
    self = Swift.withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
