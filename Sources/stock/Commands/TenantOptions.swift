import ArgumentParser
import Kernel
import Postgres
import Services

/// Which tenant a command is about: by its slug, or by its number, which a slug may look like.
struct TenantOptions: ParsableArguments {
    @Option(name: .long, help: "The tenant's slug.")
    var tenant: String?

    @Option(name: .long, help: "The tenant's number, instead of its slug.")
    var tenantID: Int64?

    func validate() throws {
        guard (tenant == nil) != (tenantID == nil) else {
            throw ValidationError("give either --tenant SLUG or --tenant-id NUMBER")
        }
    }

    /// The tenant, looked up.
    ///
    /// - Parameter postgres: A way to the database.
    /// - Returns: Its number.
    /// - Throws: ``CommandFailure`` if there is none.
    func find(in postgres: PostgresClient) async throws -> TenantID {
        let reference = tenantID.map { .id(TenantID(rawValue: $0)) } ?? TenantReference.slug(typed: tenant ?? "")
        guard let id = try await reference.find(in: postgres, deadline: .now + .seconds(10)) else {
            throw CommandFailure(.failed, "there is no tenant \(self)")
        }
        return id
    }
}

extension TenantOptions: CustomStringConvertible {
    /// As it was given.
    var description: String { tenantID.map { "with the number \($0)" } ?? "'\(tenant ?? "")'" }
}
