import CLoaded
import CSystem
import Glibc

/// Matrix products and LAPACK, by OpenBLAS, which is loaded when it is first needed.
package struct OpenBLAS: Sendable {
  package let sgemm: vp_cblas_sgemm
  package let dgemm: vp_cblas_dgemm
  package let dsyrk: vp_cblas_dsyrk
  package let dsyevr: vp_dsyevr
  private let setThreads: vp_openblas_set_num_threads
  /// Its version, and the processor whose kernels it uses, such as "OpenBLAS 0.3.21, Haswell kernels".
  package let description: String

  /// - Throws: `io` where it is not installed, `refused` for a build with integers of 64 bits.
  package static func load() throws -> OpenBLAS { try loaded.get() }

  private static let loaded = Result { try OpenBLAS() }

  private init() throws {
    // OpenBLAS goes by the processor's model, and takes the slowest kernels for one that it does not know.
    let variable = "OPENBLAS_CORETYPE"
    let core = getenv(variable) == nil ? vp_openblas_core() : nil
    if let core { setenv(variable, core, 1) }
    defer { if core != nil { unsetenv(variable) } }
    let library = try SystemLibrary("libopenblas.so.0", package: "libopenblas0", for: "to compute with matrices")
    let config: vp_openblas_text = try library.function("openblas_get_config")
    let words = String(cString: config()!).split(separator: " ").map(String.init)
    guard !words.contains("USE64BITINT") else {
      throw VPatchError(
        .refused, "libopenblas.so.0", "was built with integers of 64 bits",
        remedy: "install the build with integers of 32 bits: apt-get install libopenblas0")
    }
    let name: vp_openblas_text = try library.function("openblas_get_corename")
    description = "OpenBLAS \(words.dropFirst().first ?? ""), \(String(cString: name()!)) kernels"
    sgemm = try library.function("cblas_sgemm")
    dgemm = try library.function("cblas_dgemm")
    dsyrk = try library.function("cblas_dsyrk")
    dsyevr = try library.function("dsyevr_")
    setThreads = try library.function("openblas_set_num_threads")
  }

  /// On how many threads of its own it computes. For the whole process.
  package func use(threads: Int) { setThreads(CInt(max(1, min(threads, 1024)))) }

  /// The largest eigenvalues of a symmetric matrix, in descending order, and their eigenvectors.
  /// - Parameters:
  ///   - matrix: n × n, of which the upper triangle (row-major) is read; overwritten.
  ///   - count: how many, at most n.
  /// - Returns: the eigenvectors as rows, [count × n].
  /// - Throws: `invalid` if the algorithm does not converge, as for numbers that are not finite.
  package func largestEigenvectors(
    of matrix: inout [Double], n: Int, count: Int
  ) throws -> (values: [Double], vectors: [Double]) {
    let (size, first, last) = ([CInt(n)], [CInt(n - count + 1)], [CInt(n)])
    var (found, info) = (CInt(0), CInt(0))
    var values = [Double](repeating: 0, count: n)
    var vectors = [Double](repeating: 0, count: n * count)
    var support = [CInt](repeating: 0, count: 2 * n)
    var (work, integers) = ([0.0], [CInt(0)])
    // The first call asks for the sizes of the scratch memory.
    for isQuery in [true, false] {
      let (lengths, lengthsOfIntegers) =
        isQuery ? ([CInt(-1)], [CInt(-1)]) : ([CInt(work.count)], [CInt(integers.count)])
      // Column-major, the upper triangle is the lower one.
      dsyevr(
        "V", count < n ? "I" : "A", "L", size, &matrix, size, [0], [0], first, last, [0], &found, &values, &vectors,
        size,
        &support, &work, lengths, &integers, lengthsOfIntegers, &info, 1, 1, 1)
      if isQuery {
        work = [Double](repeating: 0, count: max(1, Int(work[0])))
        integers = [CInt](repeating: 0, count: max(1, Int(integers[0])))
      }
    }
    guard info == 0, Int(found) == count else {
      throw VPatchError(
        .invalid, nil, "the eigenvalues of a matrix cannot be computed: it has numbers that are not finite")
    }
    let order = (0..<count).reversed()
    return (order.map { values[$0] }, order.flatMap { vectors[$0 * n..<($0 + 1) * n] })
  }
}
