// swift-tools-version: 6.2
import PackageDescription

/// Targets stand in the order data flows: each may import only what stands above it.
let package = Package(
  name: "nabla",
  products: [
    .library(name: "Nabla", targets: ["Nabla"]),
    .executable(name: "nabla", targets: ["NablaTool"]),
    .executable(name: "nabla-studio", targets: ["NablaStudioTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    // The web server of Nabla Studio; only the product nabla-studio builds it.
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
  ],
  targets: [
    .target(
      name: "CNablaKernels",
      linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp"), .linkedLibrary("m")]),
    .systemLibrary(name: "CLibcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CLibpng", providers: [.apt(["libpng-dev"])]),
    .target(name: "NablaTensor", dependencies: ["CNablaKernels"]),
    .target(name: "NablaNN", dependencies: ["NablaTensor", "CNablaKernels"]),
    .target(name: "NablaFormats", dependencies: ["NablaTensor", "CLibcrypto", "CZlib", "CLibpng"]),
    .target(name: "NablaTraining", dependencies: ["NablaNN", "NablaFormats"]),
    .target(name: "NablaReport", dependencies: ["NablaTraining"], resources: [.embedInCode("Page")]),
    .target(name: "NablaTemplates", dependencies: ["NablaFormats"]),
    .target(
      name: "NablaText",
      dependencies: [
        "NablaTensor", "NablaFormats", "NablaTemplates",
        .product(name: "HeapModule", package: "swift-collections"),
        .product(name: "OrderedCollections", package: "swift-collections"),
      ]),
    .target(
      name: "NablaLanguage", dependencies: ["NablaTraining", "NablaReport", "NablaText"],
      resources: [.embedInCode("Report/Page")]),
    .target(
      name: "NablaRL", dependencies: ["NablaTraining", "NablaReport"], resources: [.embedInCode("Report/Page")]),
    .target(name: "NablaAlignment", dependencies: ["NablaLanguage"]),
    .target(name: "NablaDiffusion", dependencies: ["NablaTraining", "NablaReport"]),
    .target(
      name: "NablaScaling", dependencies: ["NablaLanguage", "CNablaKernels"], resources: [.embedInCode("Report/Page")]),
    .target(
      name: "Nabla", dependencies: ["NablaLanguage", "NablaRL", "NablaAlignment", "NablaDiffusion", "NablaScaling"]),
    .executableTarget(
      name: "NablaTool",
      dependencies: [
        "Nabla", "Yams",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(
      name: "NablaStudio",
      dependencies: ["Nabla", "NablaReport", .product(name: "Hummingbird", package: "hummingbird")],
      resources: [.copy("Page")]),
    .executableTarget(
      name: "NablaStudioTool",
      dependencies: ["NablaStudio", "NablaTensor", .product(name: "ArgumentParser", package: "swift-argument-parser")]),

    // Small programs to read and to start from; the tests run them.
    .executableTarget(name: "LanguageModel", dependencies: ["Nabla"], path: "Examples/LanguageModel"),
    .executableTarget(name: "Spirals", dependencies: ["Nabla"], path: "Examples/Spirals"),
    .executableTarget(name: "Catch", dependencies: ["Nabla"], path: "Examples/Catch"),
    .executableTarget(name: "CustomGradient", dependencies: ["Nabla"], path: "Examples/CustomGradient"),
    .executableTarget(name: "Preferences", dependencies: ["Nabla"], path: "Examples/Preferences"),

    .testTarget(name: "NablaTensorTests", dependencies: ["NablaTensor", "CNablaKernels"]),
    .testTarget(name: "NablaNNTests", dependencies: ["NablaNN", "NablaFormats"]),
    .testTarget(name: "NablaFormatsTests", dependencies: ["NablaFormats"]),
    .testTarget(name: "NablaTrainingTests", dependencies: ["NablaTraining"]),
    .testTarget(name: "NablaReportTests", dependencies: ["NablaReport"]),
    .testTarget(name: "NablaTemplatesTests", dependencies: ["NablaTemplates"]),
    .testTarget(name: "NablaTextTests", dependencies: ["NablaText"]),
    .testTarget(name: "NablaLanguageTests", dependencies: ["NablaLanguage"]),
    .testTarget(name: "NablaRLTests", dependencies: ["NablaRL", "NablaFormats"]),
    .testTarget(name: "NablaAlignmentTests", dependencies: ["NablaAlignment"]),
    .testTarget(name: "NablaDiffusionTests", dependencies: ["NablaDiffusion", "NablaFormats"]),
    .testTarget(name: "NablaScalingTests", dependencies: ["NablaScaling", "CNablaKernels"]),
    .testTarget(name: "NablaStudioTests", dependencies: ["NablaStudio", "NablaFormats"]),
    .testTarget(name: "NablaFuzzTests", dependencies: ["Nabla"]),
    .testTarget(name: "NablaToolTests", dependencies: ["Nabla", "NablaTool"]),
  ],
  swiftLanguageModes: [.v6]
)

// Warnings are errors with the compiler the project is tested with; a later one may know new warnings. (Packages that
// depend on Nabla are not affected: SwiftPM drops these settings for dependencies.)
#if compiler(<6.4)
  for target in package.targets where target.type != .system {
    target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
    target.cSettings = (target.cSettings ?? []) + [.treatAllWarnings(as: .error)]
  }
#endif
