import Base
import Glibc
import Model

/// Memory of the machine.
package enum SystemMemory {
  /// Bytes that a program can use without swapping: what the system reports as available, or less if this process runs
  /// in a control group with a limit; nil if neither is known.
  package static var available: Int? {
    [systemAvailable, groupAvailable].compactMap(\.self).min()
  }

  private static var systemAvailable: Int? {
    let line = text("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
  }

  private static var groupAvailable: Int? {
    guard let limit = text("/sys/fs/cgroup/memory.max").flatMap(number),
      let used = text("/sys/fs/cgroup/memory.current").flatMap(number)
    else { return nil }
    return max(0, limit - used)
  }

  private static func number(_ text: String) -> Int? { Int(text.trimmingSuffix { $0.isWhitespace }) }

  private static func text(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}

extension String {
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
    String(reversed().drop(while: predicate).reversed())
  }
}

extension TrainingRun {
  /// - Throws: `refused` if the run needs more memory than is available, with both numbers.
  package func checkMemory(available: Int? = SystemMemory.available) throws {
    guard let available, memory.needed > available else { return }
    let ways = [
      options.recomputes ? nil : "--recompute", options.microBatch == 1 ? nil : "a smaller --micro-batch",
      "a shorter --max-length", "fewer --layers",
    ].compactMap(\.self)
    throw VPatchError(
      .refused, model.weights.view.path,
      "needs \(Format.bytes(memory.needed)) for training (\(Format.bytes(memory.tuned)) for the tuned tensors, "
        + "\(Format.bytes(memory.activations)) for activations, \(Format.bytes(memory.scratch)) of scratch memory); "
        + "\(Format.bytes(available)) is available", remedy: "use \(ways.joined(separator: ", "))")
  }
}
