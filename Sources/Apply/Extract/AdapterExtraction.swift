import Base
import Checkpoints
import PatchFormat

/// Makes an adapter of any patch: for each changed matrix the nearest product of two factors. What has no factors
/// (embeddings, norms, biases) is saved whole. The adapter is an approximation, and says by how much.
package struct AdapterExtraction: Sendable {
  /// How large the factors are.
  package enum Size: Equatable, Sendable {
    case rank(Int)
    /// As small as leaves at most this share of each change.
    case error(Double)
  }

  package let patch: Patch
  package let base: SafetensorsCheckpoint
  package let size: Size
  package let work: WorkOptions

  /// - Throws: `refused` for a rank or an error that cannot be.
  package init(_ patch: Patch, over base: SafetensorsCheckpoint, _ size: Size, work: WorkOptions) throws {
    switch size {
    case .rank(let rank):
      guard (1...LowRank.maximumRank).contains(rank) else {
        throw VPatchError(
          .refused, nil, "--rank is \(rank)", remedy: "give a rank from 1 to \(LowRank.maximumRank)")
      }
    case .error(let share):
      guard share > 0, share < 1 else {
        throw VPatchError(
          .refused, nil, "--error is \(Format.plain(share))",
          remedy: "give a share of the change between 0 and 1, such as 0.1")
      }
    }
    (self.patch, self.base, self.size, self.work) = (patch, base, size, work)
  }

  /// A matrix and its factors.
  package struct Matrix: Sendable {
    package let name: String
    package let rank: Int
    /// ‖Δ‖ and ‖Δ − B·A‖, Frobenius.
    package let norm: Double
    package let error: Double

    package var relativeError: Double { norm == 0 ? 0 : error / norm }
  }

  package struct Result: Sendable {
    package let files: [ExportedFile]
    package let matrices: [Matrix]
    /// Tensors that are saved whole.
    package let whole: [String]
    /// Embeddings and heads with other rows than the base's: the base has to be resized before the adapter is loaded.
    package let resized: [(name: String, rows: Int)]

    /// ‖all changes − all products‖ as a share of ‖all changes‖, of the matrices.
    package var relativeError: Double {
      func sum(_ value: (Matrix) -> Double) -> Double { matrices.reduce(0) { $0 + value($1) * value($1) }.squareRoot() }
      let norm = sum(\.norm)
      return norm == 0 ? 0 : sum(\.error) / norm
    }
  }

  /// Writes the adapter's files and a README with the errors.
  /// - Parameter folder: a new folder.
  /// - Throws: `refused` for what an adapter cannot do, or a folder that exists; `wrongBase`; `io`.
  package func write(to folder: String) throws -> Result {
    try OutputCheck.directory(folder)
    let plan = try ExtractionPlan(self)
    let blas = try OpenBLAS.load()
    blas.use(threads: work.threads)
    work.progress.begin("factors", total: plan.matrices.reduce(0) { $0 + $1.info.byteCount })
    var layers: [NewAdapter.Layer] = []
    var found: [Matrix] = []
    for (info, module) in plan.matrices {
      defer { work.progress.advance(info.byteCount) }
      let difference = try MatrixDifference(
        info, base: { try plan.base(info.name) }, target: { try plan.target(info.name) })
      let factors: MatrixApproximation
      do { factors = try MatrixApproximation(difference, size.ofMatrix, blas) } catch let error as VPatchError {
        throw VPatchError(error.code, patch.label, "\"\(info.name.printable)\" \(error.reason)", remedy: error.remedy)
      }
      found.append(Matrix(name: info.name, rank: factors.rank, norm: factors.norm, error: factors.error))
      layers.append(
        NewAdapter.Layer(
          module: module, rank: factors.rank, inputs: difference.columns, outputs: difference.rows,
          a: { $0.update(from: factors.a, count: factors.a.count) },
          b: { $0.update(from: factors.b, count: factors.b.count) }))
    }
    var settings = NewAdapter.Settings(rank: found.map(\.rank).max() ?? 1, alpha: nil)
    settings.baseModel = base.path
    let adapter = NewAdapter(
      settings, layers: layers,
      whole: plan.whole.map { tensor in
        NewAdapter.Whole(parameter: tensor.parameter, isBias: tensor.isBias) { try plan.target(tensor.name) }
      }, modules: plan.modules.all)
    let directory = try OutputDirectory(path: folder)
    try adapter.write(into: directory.temporaryPath)
    try base.requireSameBytes()
    let changed = plan.whole.filter(\.isChanged).map(\.name)
    let readme = ExtractionReadme(patch: patch.header, label: patch.label, matrices: found, whole: changed)
    let file = try OutputFile(path: Path.join(directory.temporaryPath, "README.md"))
    try file.write(Array(readme.text.utf8), at: 0)
    try file.commit()
    let files = try [PEFTConfig.fileName, PEFTAdapter.weightsName, "README.md"].map { name in
      let file = try InputFile(path: Path.join(directory.temporaryPath, name))
      return ExportedFile(name: name, bytes: file.size, digest: try file.digest())
    }
    try directory.commit()
    return Result(files: files, matrices: found, whole: changed, resized: plan.resized)
  }
}

extension AdapterExtraction.Size {
  fileprivate var ofMatrix: MatrixApproximation.Size {
    switch self {
    case .rank(let rank): .rank(rank)
    case .error(let share): .error(share)
    }
  }
}
