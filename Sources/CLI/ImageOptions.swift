import ArgumentParser
import Model

/// Where what a suite or a data file names may lie.
struct ImageOptions: ParsableArguments {
  @Flag(help: "Read images that lie outside of their data file's folder, and data outside of its suite's, too.")
  var allowOutside = false
}

/// Where features of images are kept.
struct FeatureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep what a vision tower makes of images there (default: ~/.cache/vpatch/features); none: nowhere.",
      valueName: "dir"))
  var features: String?
  @Option(help: ArgumentHelp("How much is kept, in GB; what was not used for longest goes first.", valueName: "x"))
  var featuresLimit = 10.0

  func validate() throws {
    guard featuresLimit > 0, featuresLimit < 1e6 else {
      throw ValidationError("--features-limit takes a number above 0.")
    }
  }

  /// - Throws: `refused` where nothing says where the cache could be.
  func cache(_ common: CommonOptions) throws -> FeatureCache? {
    if features == "none" { return nil }
    let folder = try features ?? FeatureCache.defaultFolder()
    return FeatureCache(folder: folder, limit: Int(featuresLimit * 1e9)) { error in
      common.note("features of images cannot be kept, and are computed each time: \(error.description)")
    }
  }
}
