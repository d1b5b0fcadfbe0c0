import Apply
import Base
import CVPatch
import Checkpoints
import PatchFormat
import Report

@_cdecl("vpatch_merge")
package func mergePatches(
  _ base: UnsafePointer<CChar>?, _ stack: UnsafePointer<CChar>?, _ output: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let (options, output) = (try GivenOptions(options), try string(output, "output"))
    let reader = try object(parsed(stack, "stack"), "stack")
    let members = try reader.list("members").map { entry in
      guard let parts = entry.array, parts.count == 2, let path = parts[0].string, let scale = parts[1].double else {
        throw Misuse("\"members\" has an entry that is not [patch file, scale]")
      }
      return (patch: try Patch(path: path, threads: options.work.threads), scale: scale)
    }
    let method = try reader.optionalString("method").map { try MergeMethod(text: $0) } ?? .sum
    let definition = try StackDefinition(members, method: method)
    let base = try SafetensorsCheckpoint(path: string(base, "base"))
    try OutputCheck.file(output, inputs: base.inputs + members.map(\.patch.file), force: options.replaces)
    let name = try reader.optionalString("name")
    let library = try OpenPatches(
      members.map(\.patch), undoPath: output, replacing: options.replaces, scratchBeside: output)
    let steps = try [PatchStep].stack(definition, name: name, over: ModelView(base), library, options.work)
    guard !definition.isOnePatch else {
      throw VPatchError(
        .refused, members[0].patch.label, "is a stack of one patch at scale 1", remedy: "use the patch itself")
    }
    try give(JSON.dictionary(["output": .string(output)]).adding(steps[0].patch.json.object ?? []), result)
  }
}
