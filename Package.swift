// swift-tools-version: 6.3
import PackageDescription

/// Language settings shared by every Swift target; applied in one loop below, so that none is forgotten.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    // Async helpers stay on the caller's executor: a hop costs more than most of what they do.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // Debug builds are the test builds: only they can be told to leave out a guard of the cache (STOCK_GUARDS_OFF).
    .define("COHERENCE_CONTROLS", .when(configuration: .debug)),
]

/// The targets that touch C: every unsafe expression there is marked.
let unsafeTargets: Set<String> = ["IOLoop", "Postgres", "Redis"]

let package = Package(
    name: "stock",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "stock", targets: ["stock"])
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // The environment and files of NAME=value alone are read.
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    ],
    targets: [
        // C, and nothing else
        .systemLibrary(
            name: "CLibPQ",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"])]
        ),
        .systemLibrary(
            name: "CHiredis",
            pkgConfig: "hiredis",
            providers: [.apt(["libhiredis-dev"])]
        ),
        .systemLibrary(name: "CEpoll"),

        // Turns
        .target(name: "Fairness", dependencies: [.product(name: "DequeModule", package: "swift-collections")]),

        // I/O
        .target(name: "IOLoop", dependencies: ["CEpoll"]),
        .target(
            name: "Postgres",
            dependencies: [
                "CLibPQ", "Fairness", "IOLoop",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]
        ),
        .target(
            name: "Redis",
            dependencies: [
                "CHiredis", "IOLoop",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]
        ),

        // The shop
        .target(name: "Kernel"),
        .target(name: "Domain", dependencies: ["Kernel"]),

        // Coherent caching
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
            ]
        ),
        .target(
            name: "Coherence",
            dependencies: [
                "Cache", "Postgres", "Redis",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),

        // Use cases and their ways in
        .target(
            name: "Services",
            dependencies: [
                "Cache", "Domain", "Fairness", "Kernel", "Postgres",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        // The page for people; what it is made of lies in the program.
        .target(name: "Console", resources: [.embedInCode("Assets")]),
        .target(
            name: "API",
            dependencies: [
                "Cache", "Console", "Domain", "Fairness", "Kernel", "Services",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        .target(
            name: "Laboratory",
            dependencies: [
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .executableTarget(
            name: "stock",
            dependencies: [
                "API", "Cache", "Domain", "Coherence", "IOLoop", "Kernel", "Laboratory", "Postgres", "Redis",
                "Services",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),

        // Tests
        .target(
            name: "TestSupport",
            dependencies: ["Laboratory"],
            path: "Tests/TestSupport"
        ),
        // A cache without a database, for tests and for what is weighed and measured.
        .target(
            name: "CacheAtHand",
            dependencies: ["Cache", .product(name: "NIOCore", package: "swift-nio")],
            path: "Tests/CacheAtHand"
        ),
        .testTarget(
            name: "LaboratoryTests",
            dependencies: [
                "Laboratory", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(name: "FairnessTests", dependencies: ["Fairness"]),
        .testTarget(name: "IOLoopTests", dependencies: ["IOLoop", "TestSupport"]),
        .testTarget(
            name: "PostgresTests",
            dependencies: ["IOLoop", "Postgres", "TestSupport", .product(name: "Logging", package: "swift-log")]
        ),
        .testTarget(
            name: "RedisTests",
            dependencies: [
                "IOLoop", "Redis", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(name: "KernelTests", dependencies: ["Kernel"]),
        .testTarget(name: "DomainTests", dependencies: ["Domain", "Kernel"]),
        .testTarget(
            name: "CacheTests",
            dependencies: [
                "Cache", "IOLoop", "Kernel", "Redis", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "CoherenceTests",
            dependencies: [
                "Cache", "Coherence", "IOLoop", "Postgres", "Redis", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "ServicesTests",
            dependencies: [
                "Cache", "Domain", "Coherence", "IOLoop", "Kernel", "Postgres", "Services", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .testTarget(
            name: "APITests",
            dependencies: [
                "API", "Cache", "CacheAtHand", "Console", "Domain", "Coherence", "IOLoop", "Kernel", "Postgres",
                "Services",
                "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            exclude: ["Fuzz/seeds"]
        ),
        .testTarget(name: "PlanTests", dependencies: ["API", "Coherence", "Postgres", "Services", "TestSupport"]),
        .testTarget(name: "IntegrationTests", dependencies: ["TestSupport"]),
        // Reads one input, or does one thing many times, so that scripts/lib/weigh can say what it costs.
        .executableTarget(
            name: "weigh",
            dependencies: [
                "API", "Cache", "CacheAtHand", "CLibPQ", "Domain", "IOLoop", "Kernel", "Postgres", "Services",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Tests/Weigh"
        ),
        // The parsers of files, for libFuzzer: scripts/fuzz.
        .executableTarget(name: "file-fuzz", dependencies: ["Domain", "Kernel"], path: "Tests/FileFuzz"),

        // What Benchmarks/run measures with, and against
        .executableTarget(
            name: "bare-handler",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Benchmarks/BareHandler"
        ),
        .executableTarget(
            name: "bare-channel",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Benchmarks/BareChannel"
        ),
        .target(name: "BlockingClient", path: "Benchmarks/BlockingClient"),
        .executableTarget(name: "series-lag", dependencies: ["BlockingClient"], path: "Benchmarks/SeriesLag"),
        .executableTarget(name: "crowd", dependencies: ["BlockingClient"], path: "Benchmarks/Crowd"),
        .executableTarget(name: "abuse", dependencies: ["BlockingClient"], path: "Benchmarks/Abuse"),
        .executableTarget(name: "peer-lag", dependencies: ["BlockingClient"], path: "Benchmarks/PeerLag"),
        .executableTarget(name: "streams", dependencies: ["BlockingClient", "CEpoll"], path: "Benchmarks/Streams"),
        .executableTarget(name: "l1-look-up", dependencies: ["Cache", "CacheAtHand"], path: "Benchmarks/L1LookUp"),
        .executableTarget(name: "l1-memory", dependencies: ["Cache", "CacheAtHand"], path: "Benchmarks/L1Memory"),
        .executableTarget(
            name: "retire",
            dependencies: [
                "Cache", "CacheAtHand", "Coherence", "IOLoop", "Redis",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Retire"
        ),
    ]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = settings + (unsafeTargets.contains(target.name) ? [.strictMemorySafety()] : [])
}
