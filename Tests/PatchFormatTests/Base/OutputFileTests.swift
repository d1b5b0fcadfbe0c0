import Foundation
import Glibc
import Testing

@testable import Base

@Suite struct OutputFileTests {
  @Test func nothingUnderTheNameBeforeCommit() throws {
    let scratch = Scratch()
    let path = scratch.file("out")
    let file = try OutputFile(path: path)
    try file.write([1, 2, 3], at: 0)
    #expect(try PathKind.of(path) == .missing)
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
    let file = try OutputFile(path: scratch.file("out"), replacing: true)
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
      let file = try OutputFile(path: scratch.file(name), replacing: true)
      try file.write([1], at: 0)
      try file.commit()
      #expect(try contents(scratch.file("mine")) == [7])
      #expect(try contents(scratch.file(name)) == [1])
      #expect(try PathKind.of(scratch.file(name), followingLinks: false) == .file)
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
      let file = try OutputFile(path: scratch.file("out"), replacing: true)
      try file.write([1], at: 0)
      #expect(refusal { try file.commit() }?.reason.contains("cannot be renamed into place") == true)
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
      #expect(try PathKind.of(scratch.file("out")) == .missing)
    }
    #expect(scratch.entries == [])
    let directory = try OutputDirectory(path: scratch.file("out"))
    let file = try OutputFile(path: Path.join(directory.temporaryPath, "x"))
    try file.write([5], at: 0)
    try file.commit()
    #expect(try PathKind.of(scratch.file("out")) == .missing)
    try directory.commit()
    #expect(scratch.entries == ["out"])
    #expect(try contents(scratch.file("out/x")) == [5])
    // A folder that holds something is not replaced.
    let second = try OutputDirectory(path: scratch.file("out"))
    #expect(refusal { try second.commit() }?.reason == "already exists")
    #expect(try contents(scratch.file("out/x")) == [5])
  }

  @Test func nothingIsReplacedUnasked() throws {
    let scratch = Scratch()
    // All were made while nothing had the name: only one may get it.
    let files = try (0..<8).map { i in
      let file = try OutputFile(path: scratch.file("out"))
      try file.write([UInt8(i)], at: 0)
      return file
    }
    let won = try Parallel.map(8, threads: 8) { i in
      do {
        try files[i].commit()
        return true
      } catch let error as VPatchError {
        #expect(error.code == .refused && error.reason == "already exists")
        return false
      }
    }
    #expect(won.count(where: \.self) == 1)
    #expect(try contents(scratch.file("out")) == [UInt8(won.firstIndex(of: true)!)])
    // Nor is a link that leads nowhere, or a folder.
    try FileManager.default.createSymbolicLink(atPath: scratch.file("link"), withDestinationPath: "nowhere")
    try FileManager.default.createDirectory(atPath: scratch.file("folder"), withIntermediateDirectories: true)
    for name in ["link", "folder"] {
      let file = try OutputFile(path: scratch.file(name))
      #expect(refusal { try file.commit() }?.reason == "already exists")
    }
  }

  @Test func whatIsReplacedKeepsItsPermissionsAndAttributes() throws {
    let scratch = Scratch()
    for (mode, name) in [(0o600, "private"), (0o640, "group"), (0o4755, "program"), (0o444, "read only")] {
      let path = scratch.write([9], as: name)
      try #require(setxattr(path, "user.note", "kept", 4, 0) == 0)
      try #require(chmod(path, mode_t(mode)) == 0)
      // As root also another's.
      let owner = geteuid() == 0 ? uid_t(1000) : geteuid()
      try #require(chown(path, owner, gid_t.max) == 0)
      try #require(chmod(path, mode_t(mode)) == 0)
      let file = try OutputFile(path: path, replacing: true)
      try file.write([1], at: 0)
      try file.commit()
      var info = stat()
      try #require(stat(path, &info) == 0)
      #expect(Int(info.st_mode) & 0o7777 == mode && info.st_uid == owner, "\(name)")
      var value = [UInt8](repeating: 0, count: 4)
      #expect(getxattr(path, "user.note", &value, 4) == 4 && value == Array("kept".utf8), "\(name)")
      #expect(try contents(path) == [1])
    }
  }

  @Test func whatCannotBeExaminedIsNotMissing() throws {
    let scratch = Scratch()
    scratch.write([1], as: "file")
    try FileManager.default.createSymbolicLink(atPath: scratch.file("link"), withDestinationPath: "nowhere")
    try FileManager.default.createSymbolicLink(atPath: scratch.file("circle"), withDestinationPath: "circle")
    #expect(try PathKind.of(scratch.file("link")) == .symbolicLink, "something has that name")
    #expect(try PathKind.of(scratch.file("nothing")) == .missing)
    for path in [scratch.file("file/below"), scratch.file("circle"), scratch.file(String(repeating: "n", count: 256))] {
      #expect(refusal { _ = try PathKind.of(path) }?.reason.contains("cannot be examined") == true, "\(path)")
      #expect(refusal { _ = try LastingIdentity.of(path + "/x", followingLinks: false) }?.code == .io)
    }
  }

  @Test func aNameThatIsNoText() throws {
    let scratch = Scratch()
    let bytes: [CChar] = scratch.file("caf").utf8.map { CChar(bitPattern: $0) } + [CChar(bitPattern: 0xE9), 0]
    close(open(bytes, O_CREAT | O_WRONLY, 0o600))
    #expect(refusal { _ = try Path.entries(of: scratch.path) }?.reason.contains("not UTF-8") == true)
    #expect(try Path.entries(of: scratch.path, skippingUndecodable: true) == [])
    unlink(bytes)
  }

  @Test func whatWasChangedMeanwhile() throws {
    let scratch = Scratch()
    func opened(_ name: String) throws -> InputFile {
      let file = try InputFile(path: scratch.write([1, 2, 3], as: name))
      try file.requireUnchanged()
      return file
    }
    let (written, cut, replaced, gone) = try (opened("written"), opened("cut"), opened("replaced"), opened("gone"))
    // The clock of a file system ticks in steps of a few milliseconds.
    utimensat(AT_FDCWD, written.path, [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 1)], 0)
    truncate(cut.path, 2)
    try Directory.rename(scratch.write([1, 2, 3], as: "other"), to: replaced.path)
    unlink(gone.path)
    for file in [written, cut, replaced, gone] {
      #expect(refusal { try file.requireUnchanged() }?.reason == "was changed while it was read", "\(file.path)")
    }
  }

  @Test func inputs() throws {
    let scratch = Scratch()
    #expect(refusal { _ = try InputFile(path: scratch.path) }?.reason.contains("not a regular file") == true)
    #expect(refusal { _ = try InputFile(path: "/dev/null") }?.reason.contains("not a regular file") == true)
    let path = scratch.write([1, 2, 3, 4], as: "in")
    let file = try InputFile(path: path)
    truncate(path, 2)
    #expect(
      refusal { _ = try file.read(0..<4) }?.reason.contains("ends at byte 2: it was truncated while it was read")
        == true)
    #expect(refusal { _ = try InputFile.contents(of: path, limit: 1) }?.reason.contains("the limit is 1") == true)
  }
}

// Declared in a header that Swift's Glibc does not import.
@_silgen_name("setxattr") private func setxattr(
  _ path: UnsafePointer<CChar>, _ name: UnsafePointer<CChar>, _ value: UnsafeRawPointer, _ size: Int, _ flags: CInt
) -> CInt
@_silgen_name("getxattr") private func getxattr(
  _ path: UnsafePointer<CChar>, _ name: UnsafePointer<CChar>, _ value: UnsafeMutableRawPointer, _ size: Int
) -> Int
