import CCompute
import Checkpoints
import Glibc

/// One tensor of a model: as stored in its file, or being tuned.
///
/// A matrix is [outputs, inputs] as in the file. A vector counts as one row.
package final class Parameter: @unchecked Sendable {
  package let info: TensorInfo
  package var name: String { info.name }
  package let rows: Int
  package let columns: Int
  /// The tensor's bytes in the file's dtype: memory-mapped, or decoded.
  let bytes: UnsafeRawPointer
  private let owner: AnyObject
  /// Set while the tensor is tuned; products then use its master.
  package private(set) var tuning: Tuning?
  /// Set while the tensor is tuned by factors; products then add theirs.
  package private(set) var factors: LowRankFactors?
  /// The tensor with the change of its factors, while `isMerged`.
  private var merged: HeldBytes?
  /// Values of a vector as float32. Norms and biases are small and used often.
  private let vector: Floats?

  /// State of a tensor that is being tuned, for all of `rows` × `columns`.
  package final class Tuning: @unchecked Sendable {
    package let master: Floats
    package let gradient: Floats
    /// AdamW's running means of the gradient and of its square.
    package let firstMoment: Floats
    package let secondMoment: Floats

    init(_ count: Int) {
      master = Floats(count)
      gradient = Floats(zeros: count)
      firstMoment = Floats(zeros: count)
      secondMoment = Floats(zeros: count)
    }
  }

  /// Dtypes that can be computed with.
  static let dtypes: Set<DType> = [.f32, .bf16, .f16]

  /// - Parameter owner: keeps the bytes alive.
  init(_ info: TensorInfo, bytes: UnsafeRawPointer, owner: AnyObject) {
    precondition(Self.dtypes.contains(info.dtype), "the dtype cannot be widened")
    self.info = info
    self.bytes = bytes
    self.owner = owner
    rows = info.shape.count < 2 ? 1 : info.shape[0]
    columns = rows == 0 ? 0 : info.elementCount / rows
    guard info.shape.count < 2 else {
      vector = nil
      return
    }
    let values = Floats(info.elementCount)
    Self.widen(bytes, info.dtype, into: values.start, info.elementCount)
    vector = values
  }

  package var count: Int { rows * columns }

  /// The values of a vector.
  var values: UnsafeMutablePointer<Float> { tuning?.master.start ?? vector!.start }

  /// The matrix in place.
  var matrix: Matrix {
    if let tuning { return Matrix(tuning.master.start, stride: columns) }
    let bytes = merged.map { UnsafeRawPointer($0.bytes.baseAddress!) } ?? bytes
    switch info.dtype {
    case .bf16: return Matrix(bytes, VP_TYPE_BF16, stride: columns)
    case .f16: return Matrix(bytes, VP_TYPE_F16, stride: columns)
    default: return Matrix(bytes, VP_TYPE_F32, stride: columns)
    }
  }

  /// Writes rows as float32.
  func widen(rows range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
    let count = range.count * columns
    if let tuning {
      out.update(from: tuning.master.start + range.lowerBound * columns, count: count)
    } else {
      let width = info.dtype.element.width
      Self.widen(bytes + range.lowerBound * columns * width, info.dtype, into: out, count)
    }
  }

  /// Whether every value equals the other's, whatever the dtypes: a NaN never does, and −0 equals 0.
  func hasSameValues(as other: Parameter) -> Bool {
    guard info.shape == other.info.shape else { return false }
    let (mine, theirs) = (Floats(columns), Floats(columns))
    return (0..<rows).allSatisfy { row in
      widen(rows: row..<row + 1, into: mine.start)
      other.widen(rows: row..<row + 1, into: theirs.start)
      return (0..<columns).allSatisfy { mine.start[$0] == theirs.start[$0] }
    }
  }

  private static func widen(
    _ bytes: UnsafeRawPointer, _ dtype: DType, into out: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    switch dtype {
    case .bf16: vp_widen_bf16(bytes.assumingMemoryBound(to: UInt16.self), out, count)
    case .f16: vp_widen_f16(bytes.assumingMemoryBound(to: UInt16.self), out, count)
    default: memcpy(out, bytes, count * 4)
    }
  }

  /// Creates a master, a zero gradient, and zero moments.
  package func beginTuning() {
    guard tuning == nil else { return }
    let tuning = Tuning(count)
    widen(rows: 0..<rows, into: tuning.master.start)
    self.tuning = tuning
  }

  /// Rounds the master to the file's dtype, as a patch stores it.
  package func roundMaster() {
    guard let master = tuning?.master, info.dtype != .f32 else { return }
    let narrow = UnsafeMutablePointer<UInt16>.allocate(capacity: max(1, count))
    defer { narrow.deallocate() }
    if info.dtype == .bf16 {
      vp_narrow_bf16(master.start, narrow, count)
      vp_widen_bf16(narrow, master.start, count)
    } else {
      for i in 0..<count { narrow[i] = Float16(master.start[i]).bitPattern }
      vp_widen_f16(narrow, master.start, count)
    }
  }

  // MARK: Factors

  /// Tunes the matrix by factors.
  package func attach(_ factors: LowRankFactors) { self.factors = factors }

  /// Ends that: the tensor is as in the file again.
  package func detach() { (factors, merged) = (nil, nil) }

  /// Factors that products have to add.
  var activeFactors: LowRankFactors? { merged == nil ? factors : nil }

  /// Lets products use the matrix with its factors' change, rounded to its dtype, as a patch has it.
  package func merge() {
    guard let factors else { return }
    let held = HeldBytes(info.byteCount)
    factors.merge(info, from: bytes, into: UnsafeMutableRawBufferPointer(rebasing: held.bytes[..<info.byteCount]))
    merged = held
  }

  /// Lets products use matrix and factors again.
  package func unmerge() { merged = nil }

  /// The same tensor as in the file.
  var frozen: Parameter { Parameter(info, bytes: bytes, owner: owner) }

  /// Ends tuning: the tensor is as in the file again.
  package func endTuning() { tuning = nil }
}
