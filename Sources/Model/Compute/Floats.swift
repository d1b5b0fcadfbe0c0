import Glibc

/// A buffer of float32 numbers, not initialised; freed with the object.
///
/// Not an array: several threads write parts of it, and zeroing hundreds of megabytes that are about to be overwritten
/// would cost as much as using them.
package final class Floats: @unchecked Sendable {
  package let count: Int
  package let start: UnsafeMutablePointer<Float>

  package init(_ count: Int) {
    self.count = count
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 16) * 4, alignment: 64)
    start = memory.bindMemory(to: Float.self, capacity: max(count, 16))
  }

  package convenience init(zeros count: Int) {
    self.init(count)
    clear()
  }

  package convenience init(_ values: [Float]) {
    self.init(values.count)
    start.update(from: values, count: values.count)
  }

  deinit { UnsafeMutableRawPointer(start).deallocate() }

  package func clear() { memset(start, 0, count * 4) }

  package var array: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }
}

/// Floats that several threads write, each a separate part.
typealias FloatPointer = UnsafeMutablePointer<Float>

/// A pointer that may be sent across threads.
struct Shared<Pointer>: @unchecked Sendable {
  let pointer: Pointer
  init(_ pointer: Pointer) { self.pointer = pointer }
}
