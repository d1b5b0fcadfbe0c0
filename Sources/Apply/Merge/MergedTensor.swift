import Base
import CKernels
import Checkpoints
import PatchFormat

/// A tensor merged from the base and several patches, readable at any place.
///
/// It holds a piece of the base, of every contributor and of the result: 1 MiB each, however large the tensor is.
final class MergedTensor: TensorSource {
  package let info: TensorInfo
  private let type: vp_float
  private let width: Int
  private let rule: MergeRule
  private let plan: MergePlan
  private let kernels: vp_merge_kernels
  private let base: any TensorSource
  private let tuned: [any TensorSource]
  private let tensor: Merge.TouchedTensor
  private let keys: [UInt64]
  /// Whether `notFinite` is counted.
  var isCounting = false
  /// Elements read so far that are infinite or NaN although their inputs are finite.
  package private(set) var notFinite = 0
  /// Bytes of a piece.
  private let room: Int
  /// The pieces: base, result, contributors.
  private let buffer: UnsafeMutableRawBufferPointer
  /// Scratch memory of the kernel: differences of one block and all contributors.
  private let deltas: UnsafeMutablePointer<Double>

  init(
    _ tensor: Merge.TouchedTensor, _ rule: MergeRule, _ plan: MergePlan, _ kernel: Kernel, base: any TensorSource,
    tuned: [any TensorSource]
  ) {
    self.tensor = tensor
    info = base.info
    type = info.dtype.kernelType!
    width = info.dtype.element.width
    self.rule = rule
    self.plan = plan
    kernels = kernel.merging
    self.base = base
    self.tuned = tuned
    keys = tensor.contributors.map { rule.keepBelow == nil ? 0 : rule.key($0.patch.identity, tensor.name) }
    room = max(min(TensorPiece.size, info.byteCount), 64)
    buffer = .allocate(byteCount: (2 + tuned.count) * room, alignment: 64)
    deltas = .allocate(capacity: tuned.count * Int(VP_MERGE_BLOCK))
  }

  deinit {
    buffer.deallocate()
    deltas.deallocate()
  }

  package func read(into output: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < output.count {
      // Whole elements, from the one that contains the next byte.
      let skip = (offset + done) % width
      let start = offset + done - skip
      let bytes = min(room / width * width, (skip + output.count - done + width - 1) / width * width)
      let result = try merge(start..<start + bytes)
      let n = min(bytes - skip, output.count - done)
      UnsafeMutableRawBufferPointer(rebasing: output[done..<done + n])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: result[skip..<skip + n]))
      done += n
    }
  }

  private func piece(_ index: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: buffer[index * room..<index * room + count])
  }

  private func merge(_ range: Range<Int>) throws -> UnsafeMutableRawBufferPointer {
    let (before, result) = (piece(0, range.count), piece(1, range.count))
    try base.read(into: before, at: range.lowerBound)
    let after = try tuned.indices.map { i in
      let piece = piece(2 + i, range.count)
      try tuned[i].read(into: piece, at: range.lowerBound)
      return UnsafeRawPointer(piece.baseAddress!)
    }
    let elements = range.lowerBound / width..<range.upperBound / width
    switch rule.kind {
    case .slerp: slerp(before.baseAddress!, after, result.baseAddress!, elements.count)
    case .differences(let kind):
      for part in parts(of: elements) {
        add(kind, before.baseAddress!, after, result.baseAddress!, part, from: elements.lowerBound)
      }
    }
    if isCounting {
      notFinite += kernels.notFinite(type, in: result, madeOf: [UnsafeRawPointer(before.baseAddress!)] + after, width)
    }
    return result
  }

  /// The range, split where a contributor's differences of the threshold magnitude are no longer kept.
  private func parts(of range: Range<Int>) -> [Range<Int>] {
    guard case .trims(let trims) = plan else { return [range] }
    let cuts = Set(trims.map(\.before).filter { $0 > range.lowerBound && $0 < range.upperBound }).sorted()
    return zip([range.lowerBound] + cuts, cuts + [range.upperBound]).map { $0..<$1 }
  }

  private func add(
    _ kind: vp_merge_rule, _ before: UnsafeRawPointer, _ after: [UnsafeRawPointer], _ result: UnsafeMutableRawPointer,
    _ part: Range<Int>, from first: Int
  ) {
    let skip = (part.lowerBound - first) * width
    let members = tensor.contributors.indices.map { i in
      var above: UInt64 = 0
      if case .trims(let trims) = plan { above = trims[i].above(at: part.lowerBound) }
      return vp_merge_member(
        tuned: after[i] + skip, weight: tensor.contributors[i].weight, above: above, key: keys[i])
    }
    members.withUnsafeBufferPointer { members in
      var job = vp_merge_job(
        type: type, rule: kind, lambda: rule.lambda, rest: rule.rest, drops: rule.keepBelow == nil ? 0 : 1,
        keep_below: rule.keepBelow ?? 0, members: members.baseAddress, member_count: members.count,
        base: before + skip, result: result + skip, count: part.count, first: UInt64(part.lowerBound), deltas: deltas)
      kernels.merge(&job)
    }
  }

  private func slerp(
    _ before: UnsafeRawPointer, _ after: [UnsafeRawPointer], _ result: UnsafeMutableRawPointer, _ count: Int
  ) {
    guard case .slerp(let coefficients) = plan else { preconditionFailure("SLERP has a plan") }
    let (a, b) = tensor.sides(before, after)
    var job = vp_slerp_job(
      type: type, base: before, a: a, b: b, result: result, count: count, coefficient_a: coefficients.a,
      coefficient_b: coefficients.b, rest: rule.rest, is_linear: coefficients.isLinear ? 1 : 0)
    kernels.slerp(&job)
  }
}

extension MergeRule {
  /// The start of the random sequence that drops a patch's differences of a tensor (spec/stacks.md, section 5.5).
  package func key(_ patch: ContentDigest, _ tensor: String) -> UInt64 {
    let hasher = SHA256Hasher()
    hasher.update("vpatch.dare.1\n")
    hasher.update([UInt8](littleEndian: seed))
    hasher.update(patch.bytes)
    hasher.update(tensor)
    return hasher.finalize().bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
