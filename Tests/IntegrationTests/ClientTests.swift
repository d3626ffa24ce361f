import Foundation
import TestSupport
import Testing

extension Integration {
    /// What is published in `clients/`.
    @Suite("Clients")
    struct ClientTests {
        @Test("the Python client does what it says, against two instances, on lines that break")
        func python() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant()
            try await deployment.settles(for: tenant, within: .seconds(20))
            let folder = SourceTree.root + "/clients/python"
            let urls = deployment.instances.map { "http://127.0.0.1:\($0.port)" }.joined(separator: " ")
            let child = try ChildProcess.spawn(
                "python3",
                ["-B", "-W", "error", "-m", "unittest", "-v", "test_stock"],
                environment: [
                    "PATH": "/usr/local/bin:/usr/bin:/bin", "URLS": urls, "EMAIL": "owner@\(tenant.slug).example",
                    "PASSWORD": Tenant.password,
                ],
                directory: folder
            )
            let status = try await child.waitForExit(within: .seconds(120))
            try await eventually("the output of python ends") { child.output.isClosed }
            #expect(status == .exited(0), "\(child.output.text)")
            try await deployment.stop()
        }
    }
}
