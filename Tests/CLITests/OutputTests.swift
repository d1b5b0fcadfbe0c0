import Foundation
import Glibc
import TestModels
import Testing

@Suite("Outputs: nothing of the user's is touched") struct OutputTests {
  let story: Story
  var folder: TestFolder { story.folder }

  init() throws { story = try Story() }

  private func apply(to output: String, _ more: String...) throws -> Command {
    try Command(Command.path, ["apply", story.base, story.saPatch, "-o", output] + more)
  }

  @Test("the output is an input") func isInput() throws {
    for input in [story.base, story.saPatch, folder["./base.safetensors"]] {
      let before = try folder.bytes(input)
      for more in [[], ["--force"]] {
        let run = try Command(Command.path, ["apply", story.base, story.saPatch, "-o", input] + more)
        #expect(run.code == 5)
        #expect(run.says("is an input of this command"))
      }
      #expect(try folder.bytes(input) == before)
    }
    let run = try Command("create", story.base, story.sa, "-o", story.sa, "--force")
    #expect(run.code == 5)
    #expect(run.says("is an input of this command"))
    #expect(try story.leftNothing())
  }

  @Test("a symbolic link") func symbolicLink() throws {
    let victim = try folder.write("victim", "mine")
    #expect(symlink(victim, folder["link.safetensors"]) == 0)
    #expect(symlink(folder["nowhere"], folder["dangling.safetensors"]) == 0)
    for name in ["link.safetensors", "dangling.safetensors"] {
      let run = try apply(to: folder[name], "--force")
      #expect(run.code == 5)
      #expect(run.says(name, "is a symbolic link"))
    }
    #expect(try folder.text("victim") == "mine")
    #expect(!folder.exists("nowhere"))
  }

  @Test("a file with several hard links") func hardLink() throws {
    let victim = try folder.write("victim", "mine")
    #expect(link(victim, story.out) == 0)
    let run = try apply(to: story.out, "--force")
    #expect(run.code == 5)
    #expect(run.says("several hard links"))
    #expect(try folder.text("victim") == "mine")
  }

  @Test("a file that exists needs --force") func exists() throws {
    try folder.write("out.safetensors", "mine")
    let run = try apply(to: story.out)
    #expect(run.code == 5)
    #expect(run.says("out.safetensors", "already exists", "--force"))
    #expect(try folder.text("out.safetensors") == "mine")
    #expect(try apply(to: story.out, "--force").code == 0)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("sa.safetensors"))
  }

  @Test("a file of the user's where the provenance belongs") func provenance() throws {
    try folder.write("out.safetensors.vpatch.json", "mine")
    let run = try apply(to: story.out)
    #expect(run.code == 5)
    #expect(run.says("out.safetensors.vpatch.json", "already exists"))
    #expect(try folder.text("out.safetensors.vpatch.json") == "mine")
    #expect(try story.leftNothing("out.safetensors.vpatch.json"))
  }

  @Test("a provenance that is left of another model is replaced") func staleProvenance() throws {
    _ = try apply(to: story.out)
    try FileManager.default.removeItem(atPath: story.out)
    #expect(try Command("apply", story.base, story.otherPatch, "-o", story.out).code == 0)
    #expect(try folder.text("out.safetensors.vpatch.json").contains("other.safetensors"))
  }

  @Test("a folder that is missing, or is a file") func missingFolder() throws {
    let run = try apply(to: folder["no/out.safetensors"])
    #expect(run.code == 5)
    #expect(run.says("folder that does not exist", "create \(folder["no"]) first"))
    #expect(try apply(to: story.base + "/out.safetensors").code == 5)
    #expect(try apply(to: "").says("name is empty"))
  }

  @Test("a folder, or a name that only a folder can have") func directory() throws {
    try folder.write("there/x", "mine")
    #expect(try apply(to: folder["there"], "--force").says("is a directory"))
    let run = try apply(to: folder["new/"])
    #expect(run.code == 5)
    #expect(run.says("give the name of a file"))
    #expect(try story.leftNothing("there"))
  }

  @Test("a device or a pipe") func special() throws {
    #expect(try apply(to: "/dev/null", "--force").says("/dev/null", "is not a regular file"))
    #expect(mkfifo(folder["pipe"], 0o600) == 0)
    let run = try Command("apply", folder["pipe"], story.saPatch, "-o", story.out)
    #expect(run.code == 1)
    #expect(run.says("pipe", "is not a regular file"))
  }

  @Test("no permission to write") func permission() throws {
    let arguments = ["apply", story.base, story.saPatch, "-o", folder["out.safetensors"]]
    let run = try FaultRun.run(in: folder, arguments, .eacces, at: 1, of: "create")
    #expect(run.code == 1)
    #expect(run.says("out.safetensors", "Permission denied", "check the permissions"), "\(run.errors)")
    #expect(!folder.exists("out.safetensors"))
    // A file system that is no disk, where even root may not write.
    let none = try Command("apply", story.base, story.saPatch, "-o", "/proc/out.safetensors")
    #expect(none.code == 1)
    #expect(none.says("/proc/out.safetensors", "cannot be written"))
  }

  @Test("what is written has the permissions that the user's umask says") func mode() throws {
    let run = try Command(
      "/bin/sh",
      ["-c", "umask 027; exec \"$0\" \"$@\"", Command.path, "apply", story.base, story.saPatch, "-o", story.out])
    #expect(run.code == 0)
    var info = stat()
    #expect(stat(story.out, &info) == 0)
    #expect(info.st_mode & 0o777 == 0o640)
  }
}
