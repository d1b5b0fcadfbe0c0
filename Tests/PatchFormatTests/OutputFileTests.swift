import Foundation
import Testing

@testable import PatchFormat

@Suite struct OutputFileTests {
  @Test func nothingUnderTheNameBeforeCommit() throws {
    let scratch = Scratch()
    let path = scratch.file("out")
    let file = try OutputFile(path: path)
    try file.write([1, 2, 3], at: 0)
    #expect(PathKind.of(path) == .missing)
    #expect(scratch.entries.count == 1)
    #expect(scratch.entries[0].hasPrefix(".out.vpatch-"))
    try file.commit()
    #expect(scratch.entries == ["out"])
    #expect(try contents(path) == [1, 2, 3])
  }

  @Test func nothingIsLeftOfOneThatIsDropped() throws {
    let scratch = Scratch()
    scratch.write([9], as: "out")
    do {
      let file = try OutputFile(path: scratch.file("out"))
      try file.write([1, 2, 3], at: 0)
    }
    #expect(scratch.entries == ["out"])
    #expect(try contents(scratch.file("out")) == [9], "the old file is whole")
  }

  @Test func aReplacedFileStaysWholeForThoseWhoHaveItOpen() throws {
    let scratch = Scratch()
    let old = try InputFile(path: scratch.write([9, 9], as: "out"))
    let file = try OutputFile(path: scratch.file("out"))
    try file.write([1], at: 0)
    #expect(try contents(scratch.file("out")) == [9, 9])
    try file.commit()
    #expect(try contents(scratch.file("out")) == [1])
    #expect(try old.read(0..<2) == [9, 9])
  }

  @Test func neverThroughASymbolicLinkOrIntoAHardLink() throws {
    let scratch = Scratch()
    scratch.write([7], as: "mine")
    try FileManager.default.createSymbolicLink(atPath: scratch.file("soft"), withDestinationPath: scratch.file("mine"))
    try FileManager.default.linkItem(atPath: scratch.file("mine"), toPath: scratch.file("hard"))
    for name in ["soft", "hard"] {
      let file = try OutputFile(path: scratch.file(name))
      try file.write([1], at: 0)
      try file.commit()
      #expect(try contents(scratch.file("mine")) == [7])
      #expect(try contents(scratch.file(name)) == [1])
      #expect(PathKind.of(scratch.file(name), followingLinks: false) == .file)
    }
  }

  @Test func folderThatIsNotThere() throws {
    let scratch = Scratch()
    let error = try #require(refusal { _ = try OutputFile(path: scratch.file("no/out")) })
    #expect(error.code == .io)
    #expect(error.description.contains("cannot be written: No such file or directory"))
  }

  @Test func commitThatFails() throws {
    let scratch = Scratch()
    try FileManager.default.createDirectory(atPath: scratch.file("out/full"), withIntermediateDirectories: true)
    do {
      let file = try OutputFile(path: scratch.file("out"))
      try file.write([1], at: 0)
      #expect(refusal { try file.commit() }?.reason.contains("cannot be given its name") == true)
    }
    #expect(scratch.entries == ["out"])
    #expect(try Path.entries(of: scratch.file("out")) == ["full"])
  }

  @Test func permissionsAreThoseOfAnyNewFile() throws {
    let scratch = Scratch()
    let file = try OutputFile(path: scratch.file("out"))
    try file.commit()
    scratch.write([], as: "plain")
    func mode(_ name: String) throws -> Int {
      try FileManager.default.attributesOfItem(atPath: scratch.file(name))[.posixPermissions] as! Int
    }
    #expect(try mode("out") == mode("plain"))
  }

  @Test func copies() throws {
    let scratch = Scratch()
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    let source = try InputFile(path: scratch.write(bytes, as: "source"))
    let file = try OutputFile(path: scratch.file("out"))
    try file.write([1, 2], at: 0)
    try file.copy(from: source, 10..<99_000, at: 2)
    try file.commit()
    let other = try OutputFile(path: scratch.file("other"))
    #expect(
      refusal { try other.copy(from: source, 0..<100_001, at: 0) }?.reason.contains("ends at byte 100000") == true)
    #expect(try contents(scratch.file("out"))[2..<100] == bytes[10..<108])
  }

  @Test func directories() throws {
    let scratch = Scratch()
    do {
      let dropped = try OutputDirectory(path: scratch.file("out"))
      try FileManager.default.createDirectory(
        atPath: Path.join(dropped.temporaryPath, "a/b"), withIntermediateDirectories: true)
      #expect(PathKind.of(scratch.file("out")) == .missing)
    }
    #expect(scratch.entries == [])
    let directory = try OutputDirectory(path: scratch.file("out"))
    let file = try OutputFile(path: Path.join(directory.temporaryPath, "x"))
    try file.write([5], at: 0)
    try file.commit()
    #expect(PathKind.of(scratch.file("out")) == .missing)
    try directory.commit()
    #expect(scratch.entries == ["out"])
    #expect(try contents(scratch.file("out/x")) == [5])
    // A folder that holds something is not replaced.
    let second = try OutputDirectory(path: scratch.file("out"))
    #expect(refusal { try second.commit() }?.reason.contains("cannot be given its name") == true)
    #expect(try contents(scratch.file("out/x")) == [5])
  }

  @Test func inputs() throws {
    let scratch = Scratch()
    #expect(refusal { _ = try InputFile(path: scratch.path) }?.reason.contains("not a regular file") == true)
    #expect(refusal { _ = try InputFile(path: "/dev/null") }?.reason.contains("not a regular file") == true)
    let path = scratch.write([1, 2, 3, 4], as: "in")
    let file = try InputFile(path: path)
    truncate(path, 2)
    #expect(
      refusal { _ = try file.read(0..<4) }?.reason.contains("ends at byte 2: it was cut while it was read") == true)
    #expect(refusal { _ = try InputFile.contents(of: path, limit: 1) }?.reason.contains("at most 1") == true)
  }
}
