import Base
import Testing

@Suite("Libraries that are loaded at run time") struct SystemLibraryTests {
  @Test("a missing library is named, with its package") func missing() throws {
    let error = try #require(throws: VPatchError.self) {
      try SystemLibrary("libvpatch-none.so.1", package: "libvpatch1", for: "to test this")
    }
    #expect(
      error.description
        == "libvpatch-none.so.1: is not installed, and vpatch needs it to test this; install it: apt-get install libvpatch1"
    )
  }

  @Test("a function is found, and one that the library lacks is named") func functions() throws {
    let library = try SystemLibrary("libz.so.1", package: "zlib1g", for: "to test this")
    let bound: @convention(c) (UInt) -> UInt = try library.function("compressBound")
    #expect(bound(1000) > 1000)
    let error = try #require(throws: VPatchError.self) {
      let none: @convention(c) () -> Void = try library.function("compressNothing")
      none()
    }
    #expect(error.reason.contains("compressNothing"), "\(error)")
  }
}
