import Glibc
import PatchFormat

/// Runs what may call itself as often as a hostile file says, on a stack that is large enough for it.
enum DeepStack {
  /// Memory that is taken only as far as it is used.
  private static let size = 512 << 20

  /// Calls `body` on a thread of its own, and waits for it.
  static func run<Result>(_ body: () throws -> Result) throws -> Result {
    try withoutActuallyEscaping(body) { body in
      let work = Work(body)
      var attributes = pthread_attr_t()
      pthread_attr_init(&attributes)
      defer { pthread_attr_destroy(&attributes) }
      pthread_attr_setstacksize(&attributes, size)
      var thread = pthread_t()
      let pointer = Unmanaged.passRetained(work).toOpaque()
      let code = pthread_create(
        &thread, &attributes,
        { pointer in
          Unmanaged<AnyWork>.fromOpaque(pointer!).takeRetainedValue().run()
          return nil
        }, pointer)
      guard code == 0 else {
        Unmanaged<AnyWork>.fromOpaque(pointer).release()
        throw VPatchError.system(nil, "a thread cannot be started", errno: code)
      }
      pthread_join(thread, nil)
      return try work.result!.get()
    }
  }

  private class AnyWork {
    func run() {}
  }

  private final class Work<Result>: AnyWork {
    private let body: () throws -> Result
    private(set) var result: Swift.Result<Result, any Error>?

    init(_ body: @escaping () throws -> Result) { self.body = body }

    override func run() { result = Swift.Result { try body() } }
  }
}
