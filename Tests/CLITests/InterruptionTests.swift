import Foundation
import Glibc
import TestModels
import Testing

/// A disk that fills up, a process that is killed: the model is there, whole, or it is not there.
@Suite("Interruptions", .serialized) struct InterruptionTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A pair of some 24 MB: enough for a signal to find the command at work.
  private func largePair() throws {
    let base = (0..<6).map {
      TestTensor.weights("model.layers.\($0).self_attn.q_proj.weight", [4, 4], seed: 3).grown(4 << 20)
    }
    try folder.file("base.safetensors", base)
    try folder.file("tuned.safetensors", base.map { $0.tuned() })
    #expect(
      try Command("create", folder["base.safetensors"], folder["tuned.safetensors"], "-o", folder["p.vpatch"]).code == 0
    )
  }

  /// Starts an apply and sends a signal once its temporary file is there.
  private func interrupt(with number: Int32) throws -> (status: Int32, ended: Bool) {
    let run = try Command.start(
      Command.path,
      ["apply", folder["base.safetensors"], folder["p.vpatch"], "-o", folder["out.safetensors"], "--threads", "1"])
    let end = Date().addingTimeInterval(20)
    while run.process.isRunning, Date() < end,
      try !folder.names().contains(where: { $0.hasPrefix(".out.safetensors.vpatch-") })
    {
      usleep(500)
    }
    let ended = !run.process.isRunning
    kill(run.process.processIdentifier, number)
    run.process.waitUntilExit()
    return (run.process.terminationStatus, ended)
  }

  private let before = ["base.safetensors", "p.vpatch", "tuned.safetensors"]

  @Test("asked to stop it leaves nothing behind", arguments: [SIGTERM, SIGINT]) func polite(number: Int32) throws {
    try largePair()
    let (status, ended) = try interrupt(with: number)
    guard !ended, status != 0 else { return print("skipped: the command was done before the signal") }
    #expect(status == 128 + number)
    #expect(try folder.names() == before)
  }

  @Test("killed it leaves nothing under the final name, and the next run succeeds") func killed() throws {
    try largePair()
    let (_, ended) = try interrupt(with: SIGKILL)
    guard !ended else { return print("skipped: the command was done before the signal") }
    #expect(!folder.exists("out.safetensors"))
    #expect(!folder.exists("out.safetensors.vpatch.json"))
    let run = try Command("apply", folder["base.safetensors"], folder["p.vpatch"], "-o", folder["out.safetensors"])
    #expect(run.code == 0)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("tuned.safetensors"))
  }

  @Test("a signal that was ignored at the start stays ignored") func nohup() throws {
    try largePair()
    let run = try Command(
      "/bin/sh",
      [
        "-c", "trap '' HUP; \"$@\" & p=$!; sleep 0.05; kill -HUP $p 2>/dev/null; wait $p", "sh", Command.path, "apply",
        folder["base.safetensors"], folder["p.vpatch"], "-o", folder["out.safetensors"],
      ])
    #expect(run.code == 0)
  }

  @Test("a full disk: one line, nothing left on it") func fullDisk() throws {
    try largePair()
    try FileManager.default.createDirectory(atPath: folder["disk"], withIntermediateDirectories: false)
    guard geteuid() == 0,
      try Command("/bin/mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder["disk"]]).code == 0
    else { return print("skipped: a small disk can be mounted by root alone") }
    defer { _ = try? Command("/bin/umount", [folder["disk"]]) }
    let base = folder["base.safetensors"]
    for arguments in [
      ["apply", base, folder["p.vpatch"], "-o", folder["disk/out.safetensors"]],
      ["revert", folder["tuned.safetensors"], folder["p.vpatch"], "-o", folder["disk/out.safetensors"]],
      ["create", base, folder["tuned.safetensors"], "-o", folder["disk/p.vpatch"]],
    ] {
      let run = try Command(Command.path, arguments)
      #expect(run.code == 1)
      #expect(run.says("/disk/", "No space left on device", "free some space"), "\(run.errors)")
      #expect(try folder.names(in: "disk") == [])
    }
  }

  @Test("a reader that goes away is no crash") func closedPipe() throws {
    try largePair()
    let run = try Command(
      "/bin/bash",
      [
        "-c", "set -o pipefail; \"$0\" show \"$1\" --json | head -c 1; exit ${PIPESTATUS[0]}", Command.path,
        folder["p.vpatch"],
      ])
    #expect([0, 128 + SIGPIPE].contains(run.code))
    #expect(run.errors.isEmpty)
  }
}

extension TestTensor {
  /// The same values again and again, up to so many bytes.
  fileprivate func grown(_ count: Int) -> TestTensor {
    var copy = self
    copy.shape = [count / 2]
    while copy.bytes.count < count { copy.bytes += copy.bytes.prefix(count - copy.bytes.count) }
    return copy
  }
}
