import CCompute
import Glibc
import PatchFormat

/// OpenBLAS, loaded when the first product is wanted: who only applies patches does without.
public struct Blas: Sendable {
  /// What OpenBLAS calls its kernels for this processor: "SkylakeX", "Haswell".
  public let core: String
  public let version: String
  private let sgemm: Sgemm

  /// The one of this process.
  public static func load() throws -> Blas { try loaded.get() }

  private typealias Sgemm =
    @convention(c) (
      CInt, CInt, CInt, CInt, CInt, CInt, Float, UnsafePointer<Float>, CInt, UnsafePointer<Float>, CInt, Float,
      UnsafeMutablePointer<Float>, CInt
    ) -> Void

  private static let loaded = Result { try open() }

  private static func open() throws -> Blas {
    // What the library finds by itself depends on its age and on a variable that may be left over from elsewhere; the
    // choice is worth a factor of two. It reads this when it is loaded.
    if let core = String(cString: vp_blas_core()).nonEmpty { setenv("OPENBLAS_CORETYPE", core, 1) }
    // Rows are split over our own threads.
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL) else {
      throw VPatchError(
        .io, "libopenblas.so.0", "cannot be loaded, and models are computed with it",
        remedy: "install it: apt-get install libopenblas0-pthread")
    }
    func symbol<T>(_ name: String, _: T.Type) throws -> T {
      guard let address = dlsym(library, name) else {
        throw VPatchError(
          .io, "libopenblas.so.0", "has no \(name)", remedy: "install OpenBLAS: apt-get install libopenblas0-pthread")
      }
      return unsafeBitCast(address, to: T.self)
    }
    typealias Text = @convention(c) () -> UnsafePointer<CChar>?
    func text(_ name: String) throws -> String { try symbol(name, Text.self)().map { String(cString: $0) } ?? "" }
    try symbol("openblas_set_num_threads", (@convention(c) (CInt) -> Void).self)(1)
    let config = try text("openblas_get_config").split(separator: " ")
    return Blas(
      core: try text("openblas_get_corename"), version: config.count > 1 ? String(config[1]) : "of unknown version",
      sgemm: try symbol("cblas_sgemm", Sgemm.self))
  }

  /// A matrix as a product takes it: row-major, `stride` floats from row to row.
  struct Operand {
    let data: UnsafePointer<Float>
    let stride: Int
    var isTransposed = false
  }

  /// c[m × n] = a·b, or c + a·b.
  func multiply(
    _ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand, into c: UnsafeMutablePointer<Float>, stride: Int,
    accumulate: Bool = false
  ) {
    func order(_ operand: Operand) -> CInt { operand.isTransposed ? 112 : 111 }
    sgemm(
      101, order(a), order(b), CInt(m), CInt(n), CInt(k), 1, a.data, CInt(a.stride), b.data, CInt(b.stride),
      accumulate ? 1 : 0, c, CInt(stride))
  }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
