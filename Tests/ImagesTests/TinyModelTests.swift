import Checkpoints
import TestModels
import Testing

@testable import Images

/// From the PNG to the pixel values of the tiny models, as transformers made them with Pillow's resizing.
@Suite("Tiny models") struct TinyModelTests {
  @Test(arguments: ["tiny-qwen2.5-vl", "tiny-llava-onevision", "tiny-llava-next"])
  func pixelValues(name: String) throws {
    let folder = Fixtures.path("tiny-models/\(name)")
    let image = try ImageFile(path: "\(folder)/image-0.png")
    let processor = try ImageProcessor(folder: folder)
    let values = try processor.process(image.decode())
    #expect(values.plan == (try processor.plan(image.source)))
    let reference = try SafetensorsCheckpoint(path: "\(folder)/reference.safetensors")
    let tensor = try #require(reference.testTensors().first { $0.name == "pixel_values" })
    let shape = tensor.shape.count == 5 ? Array(tensor.shape.dropFirst()) : tensor.shape
    #expect(values.shape == shape)
    let expected = tensor.bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    let difference = zip(values.values, expected).map { abs($0 - $1) }.max() ?? .infinity
    #expect(values.values.count == expected.count)
    #expect(difference <= 1e-6, "\(difference)")
  }
}
