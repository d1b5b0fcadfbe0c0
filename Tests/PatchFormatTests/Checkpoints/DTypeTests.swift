import Testing

@testable import Base
@testable import Checkpoints
@testable import PatchFormat

@Suite struct DTypeTests {
  @Test(arguments: [
    ("F64", 8, true, 0, 0), ("F32", 4, true, 23, 8), ("F16", 2, true, 10, 5), ("BF16", 2, true, 7, 8),
    ("F8_E5M2", 1, true, 2, 5), ("F8_E4M3", 1, true, 3, 4), ("I64", 8, false, 0, 0), ("U64", 8, false, 0, 0),
    ("I32", 4, false, 0, 0), ("U32", 4, false, 0, 0), ("I16", 2, false, 0, 0), ("U16", 2, false, 0, 0),
    ("I8", 1, false, 0, 0), ("U8", 1, false, 0, 0), ("BOOL", 1, false, 0, 0),
  ])
  func table(name: String, width: Int, isFloat: Bool, shift: Int, bits: Int) throws {
    let dtype = try #require(DType(name))
    #expect(dtype.isKnown)
    let element = dtype.element
    #expect(element.width == width)
    #expect(element.isFloat == isFloat)
    #expect(element.exponentShift == shift)
    #expect(element.exponentBits == bits)
    #expect(element.hasUlpCoder == (bits > 0))
    #expect(TensorInfo.byteCount(dtype: dtype, shape: [3, 5]) == 15 * width)
    #expect(TensorInfo.byteCount(dtype: dtype, shape: []) == width)
  }

  @Test(arguments: ["F4", "F6_E2M3", "F8_E8M0", "bf16", "X9_odd", "C64"]) func unknownOnesAreBytes(name: String) throws
  {
    let dtype = try #require(DType(name))
    #expect(!dtype.isKnown)
    #expect(dtype.element == .bytes)
    #expect(TensorInfo.byteCount(dtype: dtype, shape: [4]) == nil)
  }

  @Test func names() {
    for bad in ["", "F-8", "é", "F 8", "F\n8", String(repeating: "F", count: 33), "Ｆ８"] { #expect(DType(bad) == nil) }
    #expect(DType(String(repeating: "F", count: 32)) != nil)
  }

  @Test func sizesThatOverflow() {
    #expect(TensorInfo.byteCount(dtype: .f64, shape: [1 << 60]) == nil)
    #expect(TensorInfo.byteCount(dtype: .f64, shape: [1 << 32, 1 << 32]) == nil)
    #expect(TensorInfo.byteCount(dtype: .f64, shape: [1 << 32, 1 << 32, 0]) == 0)
    #expect(TensorInfo.byteCount(dtype: .f64, shape: [1 << 58]) == 1 << 61)
  }

  @Test func tensorNames() {
    for bad in ["", "a\u{0}", "__metadata__", String(repeating: "n", count: 4097)] {
      #expect(!TensorInfo.isValidName(bad))
    }
    for good in ["a", " ", "../x", String(repeating: "n", count: 4096)] { #expect(TensorInfo.isValidName(good)) }
  }

  @Test func fileNames() {
    for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", "a\u{0}", "/\u{301}", String(repeating: "n", count: 256)] {
      #expect(!SafetensorsCheckpoint.isValidFileName(bad), "\(bad)")
    }
    for good in ["...", "a b", "é", String(repeating: "n", count: 255)] {
      #expect(SafetensorsCheckpoint.isValidFileName(good))
    }
  }

  @Test func sideFileNames() {
    // U+0600 takes the dot behind it into its character; the bytes still end in .safetensors.
    for bad in ["x.safetensors", ".safetensors", "\u{600}.safetensors", "vpatch.json", "model.safetensors.index.json"] {
      #expect(!Annex.isSideFileName(bad), "\(bad)")
    }
    for good in ["config.json", "x.safetensors.bak", "safetensors"] { #expect(Annex.isSideFileName(good)) }
  }

  @Test func pathsByBytes() {
    #expect(Path.parent("a/b") == "a")
    #expect(Path.parent("a") == ".")
    #expect(Path.parent("/a") == "/")
    #expect(Path.parent("/") == "/" || Path.parent("/") == ".")
    #expect(Path.parent("a/b//") == "a")
    #expect(Path.name("a/b//") == "b")
    #expect(Path.name("a/\u{301}b") == "\u{301}b")
    #expect(Path.parent("a/\u{301}b") == "a")
    #expect(Path.join("a/", "b") == "a/b")
    #expect(Path.join("a", "b") == "a/b")
  }
}
