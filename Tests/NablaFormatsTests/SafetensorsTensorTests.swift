import NablaFormats
import NablaTensor
import Testing

@Suite struct SafetensorsTensorTests {
  @Test func readsTensorsThatPyTorchSaved() throws {
    let file = try SafetensorsFile(path: fixture("mixed.safetensors"))
    #expect(try file.tensor("z.weight").shape == [2, 3])
    #expect(try file.tensor("z.weight").array() == [0, 0.25, 0.5, 0.75, 1, 1.25])
    #expect(try file.tensor("half").dtype == .float16)
    #expect(try file.tensor("half").array() == [1, -0.5, 3.25])
    #expect(try file.tensor("brain").array() == [1, -2, 0.15625])
    #expect(try file.tensor("bytes").array(of: UInt8.self) == [1, 2, 255])
    #expect(try file.tensor("flag").shape == [])
    #expect(try file.tensor("empty").shape == [0, 4])
    #expect(try file.tensor("naïve/名前").array(of: Int32.self) == [7])
    // 2^40 does not fit.
    let error = #expect(throws: SafetensorsError.self) { try file.tensor("tokens") }
    #expect(error?.kind == .outOfRange)
    #expect(throws: SafetensorsError.self) { try file.tensors() }

    let model = try SafetensorsModel(path: parentFolder(of: file.path))
    #expect(try model.tensors().mapValues { $0.array() } == ["first": [1, 1], "second": [0, 0, 0]])
    #expect(throws: SafetensorsError.self) { try model.tensor("third") }
  }

  @Test(arguments: DType.elementTypes) func roundTrips(dtype: DType) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/t.safetensors"
      let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], [3, 2]).cast(dtype)
      try SafetensorsFile.write(["x": x, "none": .zeros([2, 0]), "scalar": Tensor(3)], to: path)
      let tensors = try SafetensorsFile(path: path).tensors()
      #expect(tensors["x"]?.dtype == dtype && tensors["x"]?.shape == [3, 2] && tensors["x"]?.array() == x.array())
      #expect(tensors["none"]?.shape == [2, 0] && tensors["scalar"]?.item() == 3)
    }
  }

  @Test func readsSmallLongsAndRefusesForeignTypes() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/t.safetensors"
      let longs = [Int64(-5), 1 << 31 - 1].flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
      try SafetensorsFile.write(
        [
          SafetensorsTensor(name: "ids", dtype: .int64, shape: [2], bytes: longs),
          SafetensorsTensor(name: "deep", dtype: .uint8, shape: [1, 1, 1, 1, 1, 1, 1], bytes: [0]),
          SafetensorsTensor(name: "odd", dtype: .float8E4M3, shape: [1], bytes: [0]),
        ], to: path)
      let file = try SafetensorsFile(path: path)
      #expect(try file.tensor("ids").array(of: Int32.self) == [-5, .max])
      let error = #expect(throws: SafetensorsError.self) { try file.tensor("odd") }
      #expect(error?.kind == .unsupportedDType(.float8E4M3))
      let deep = #expect(throws: SafetensorsError.self) { try file.tensor("deep") }
      #expect(deep?.kind == .tooManyDimensions(7))
    }
  }
}
