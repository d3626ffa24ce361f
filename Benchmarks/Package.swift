// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// The service's own sources, by links in Shared/: what is measured is the code that ships, and it is `package` here as there.
let shared: [Target] = [
    .systemLibrary(name: "CLibPQ", path: "Shared/CLibPQ", pkgConfig: "libpq"),
    .systemLibrary(name: "CHiredis", path: "Shared/CHiredis", pkgConfig: "hiredis"),
    .systemLibrary(name: "CEpoll", path: "Shared/CEpoll"),
    .target(
        name: "Fairness",
        dependencies: [.product(name: "DequeModule", package: "swift-collections")],
        path: "Shared/Fairness"
    ),
    .target(name: "IOLoop", dependencies: ["CEpoll"], path: "Shared/IOLoop"),
    .target(
        name: "Postgres",
        dependencies: [
            "CLibPQ", "Fairness", "IOLoop",
            .product(name: "DequeModule", package: "swift-collections"),
            .product(name: "Logging", package: "swift-log"),
        ],
        path: "Shared/Postgres"
    ),
    .target(
        name: "Redis",
        dependencies: [
            "CHiredis", "IOLoop",
            .product(name: "DequeModule", package: "swift-collections"),
            .product(name: "Logging", package: "swift-log"),
        ],
        path: "Shared/Redis"
    ),
    .target(name: "Kernel", path: "Shared/Kernel"),
    .target(
        name: "Cache",
        dependencies: [
            "Fairness", "Kernel", "Redis",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "DequeModule", package: "swift-collections"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "Metrics", package: "swift-metrics"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOEmbedded", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
        ],
        path: "Shared/Cache"
    ),
    .target(
        name: "Coherence",
        dependencies: [
            "Cache", "Postgres", "Redis",
            .product(name: "Logging", package: "swift-log"),
            .product(name: "Metrics", package: "swift-metrics"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        ],
        path: "Shared/Coherence"
    ),
]

let package = Package(
    name: "stock-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: shared + [
        .executableTarget(
            name: "bare-handler",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Sources/BareHandler"
        ),
        .executableTarget(
            name: "bare-channel",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Sources/BareChannel"
        ),
        .target(name: "BlockingClient", path: "Sources/BlockingClient"),
        .executableTarget(name: "series-lag", dependencies: ["BlockingClient"], path: "Sources/SeriesLag"),
        .executableTarget(name: "crowd", dependencies: ["BlockingClient"], path: "Sources/Crowd"),
        .executableTarget(name: "abuse", dependencies: ["BlockingClient"], path: "Sources/Abuse"),
        .executableTarget(name: "peer-lag", dependencies: ["BlockingClient"], path: "Sources/PeerLag"),
        .target(
            name: "CacheAtHand",
            dependencies: ["Cache", .product(name: "NIOCore", package: "swift-nio")],
            path: "Shared/CacheAtHand"
        ),
        .executableTarget(name: "l1-look-up", dependencies: ["Cache", "CacheAtHand"], path: "Sources/L1LookUp"),
        .executableTarget(name: "l1-memory", dependencies: ["Cache", "CacheAtHand"], path: "Sources/L1Memory"),
        .executableTarget(
            name: "retire",
            dependencies: [
                "Cache", "CacheAtHand", "Coherence", "IOLoop", "Redis",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Retire"
        ),
    ]
)

let unsafeTargets: Set<String> = ["IOLoop", "Postgres", "Redis"]
for target in package.targets where target.type != .system {
    target.swiftSettings = settings + (unsafeTargets.contains(target.name) ? [.strictMemorySafety()] : [])
}
