import Apply
import Base
import CVPatch
import Checkpoints
import Measure
import PatchFormat
import Report

@_cdecl("vpatch_create")
package func createPatch(
  _ base: UnsafePointer<CChar>?, _ tuned: UnsafePointer<CChar>?, _ output: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let (options, output) = (try GivenOptions(options), try string(output, "output"))
    let base = try SafetensorsCheckpoint(path: string(base, "base"))
    let (tuned, plan) = try AdapterPlan.tunedSide(
      string(tuned, "tuned"), adapter: options.adapter, prefix: options.prefix, over: base,
      threads: options.work.threads
    ) { try Containers.open($0) }
    try give(options.create(base, tuned, plan, to: output), json)
  }
}

/// A patch whose tuned tensors come one by one.
final class Creation {
  fileprivate let base: SafetensorsCheckpoint
  fileprivate let output: String
  fileprivate let options: GivenOptions
  fileprivate let tensors: TensorCollection

  init(base: SafetensorsCheckpoint, output: String, options: GivenOptions) throws {
    (self.base, self.output, self.options) = (base, output, options)
    // Before the training or the copying, not after it.
    try OutputCheck.file(output, inputs: base.inputs, force: options.replaces)
    tensors = TensorCollection(over: base, scratchBeside: output)
  }
}

@_cdecl("vpatch_create_begin")
package func beginCreation(
  _ base: UnsafePointer<CChar>?, _ output: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ creation: UnsafeMutablePointer<OpaquePointer?>?, _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    try Handle.give(
      Creation(
        base: SafetensorsCheckpoint(path: string(base, "base")), output: string(output, "output"),
        options: GivenOptions(options)), creation)
  }
}

@_cdecl("vpatch_create_add")
package func addTensor(
  _ creation: OpaquePointer?, _ tensor: UnsafePointer<vpatch_tensor>?, _ borrow: CInt,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let creation = try Handle.value(creation, of: Creation.self)
    let (info, bytes) = try GivenTensor.read(tensor, isNamed: true)
    if borrow != 0 {
      try creation.tensors.add(info, borrowing: bytes)
    } else {
      try creation.tensors.add(info, copying: bytes)
    }
  }
}

@_cdecl("vpatch_create_finish")
package func finishCreation(
  _ creation: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  defer { Handle.release(creation, of: Creation.self) }
  return call(message) {
    let creation = try Handle.value(creation, of: Creation.self)
    let plan = try creation.options.adapter.map { try AdapterPlan(PEFTAdapter(path: $0), over: creation.base) }
    let tuned = try creation.tensors.checkpoint()
    try give(creation.options.create(creation.base, tuned, plan, to: creation.output), json)
  }
}

@_cdecl("vpatch_create_cancel")
package func cancelCreation(_ creation: OpaquePointer?) { Handle.release(creation, of: Creation.self) }

/// The options of a new patch, as a caller gives them.
struct GivenOptions {
  private var options = CreateOptions()
  private let training: JSON?
  let adapter: String?
  let prefix: String?
  let replaces: Bool
  let work: WorkOptions

  /// - Throws: a misuse for members that do not exist or have other types.
  init(_ argument: UnsafePointer<CChar>?) throws {
    let reader = try object(parsed(argument, "options"), "options")
    let (recipeName, only) = (try reader.optionalString("recipe"), try reader.optionalString("only"))
    guard recipeName == nil || only == nil else { throw Misuse("options has both \"recipe\" and \"only\"") }
    if let recipeName { options.selection = .recipe(try knownRecipe(recipeName)) }
    if let only {
      do { options.selection = .only(try NamePattern(only)) } catch { throw Misuse("\"only\": \(error)") }
    }
    options.dropOthers = try reader.optionalBool("drop_others") ?? false
    options.castToBase = try reader.optionalBool("cast_to_base") ?? false
    options.mapKeys = try reader.optionalBool("map_keys") ?? false
    options.isPartial = try reader.optionalBool("partial") ?? false
    options.keepsAdapter = try reader.optionalBool("keep_adapter") ?? false
    options.allowsRemovals = try reader.optionalBool("allow_removals") ?? false
    options.allowsAdditions = try reader.optionalBool("allow_additions") ?? false
    options.name = try reader.optionalString("name")
    options.note = try reader.optionalString("note")
    adapter = try reader.optionalString("adapter")
    prefix = try reader.optionalString("prefix")
    training = reader.optional("training")
    replaces = try reader.optionalBool("replace") ?? false
    work = WorkOptions(threads: try reader.optionalInt("threads", in: 1...64) ?? 2)
    if let other = reader.unread.first { throw Misuse("options has an unknown member \"\(other.key.printable)\"") }
    if options.dropOthers, options.selection == nil {
      throw Misuse("\"drop_others\" needs \"recipe\" or \"only\"")
    }
    if let training {
      // Checked before the work.
      _ = try TrainingRecord(annotations: .dictionary(["training": training]), subject: "the new patch")
    }
  }

  /// Makes the patch.
  /// - Returns: what was written.
  func create(
    _ base: SafetensorsCheckpoint, _ tuned: any Checkpoint, _ plan: AdapterPlan?, to output: String
  ) throws -> JSON {
    try OutputCheck.file(output, inputs: base.inputs + tuned.inputs, force: replaces)
    var options = options
    options.adapter = plan
    options.training = training
    let result = try Create(base: base, tuned: tuned, options: options, work: work).write(
      to: output, replacing: replaces)
    return JSON.dictionary(["output": .string(output)]).adding(result.members)
  }
}
