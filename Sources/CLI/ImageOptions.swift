import ArgumentParser

/// Where the images of data files may lie.
struct ImageOptions: ParsableArguments {
  @Flag(help: "Read images that lie outside of their data file's folder, too.")
  var allowOutside = false
}
