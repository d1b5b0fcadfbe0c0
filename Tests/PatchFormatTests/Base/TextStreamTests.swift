import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Base

@Suite("Streams of text") struct TextStreamTests {
  @Test("all comes out, however little the reader takes at a time") func whole() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    for end in ends { #expect(fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) == 0) }
    let text = String(repeating: "a line of text\n", count: 20_000)
    let (from, to) = (ends[0], ends[1])
    let group = DispatchGroup()
    let read = Mutex<[UInt8]>([])
    DispatchQueue.global().async(group: group) { read.withLock { $0 = Self.read(from) } }
    try TextStream(to, "the pipe").write(text)
    close(to)
    group.wait()
    #expect(read.withLock { $0 } == Array(text.utf8))
    close(from)
  }

  private static func read(_ descriptor: CInt) -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 777)
    while true {
      let n = Glibc.read(descriptor, &piece, piece.count)
      if n == 0 { return all }
      if n > 0 { all += piece[..<n] } else { usleep(10) }
    }
  }

  @Test("what the system refuses is an error, with its words") func refused() throws {
    let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
    defer { close(full) }
    let failure = #expect(throws: TextStream.Failure.self) { try TextStream(full, "the log").write("x") }
    let error: VPatchError? = if case .failed(let error)? = failure { error } else { nil }
    #expect(error?.description.hasPrefix("the log: cannot be written: No space left on device") == true)
  }
}
