import Testing

@testable import Postgres

@Suite
struct PostgresConfigurationTests {
    @Test("a URL with a unix socket, percent-encoding and parameters is read")
    func unixSocket() throws {
        let configuration = try PostgresConfiguration(
            url: "postgres://u%40x:p%2F%3A@/shop?host=/run/my%20socket&port=5433&sslmode=disable"
        )
        #expect(configuration.parameter("user") == "u@x")
        #expect(configuration.parameter("password") == "p/:")
        #expect(configuration.parameter("host") == "/run/my socket")
        #expect(configuration.parameter("port") == "5433")
        #expect(configuration.parameter("sslmode") == "disable")
        #expect(configuration.parameter("dbname") == "shop")
        #expect(!configuration.description.contains("p/:"))
    }

    @Test("defaults give way to the URL, except the encoding")
    func defaults() throws {
        let configuration = try PostgresConfiguration(
            url: "postgresql://db.example:6000/shop?application_name=cli&tcp_user_timeout=1&client_encoding=LATIN1"
        )
        let parameters = configuration.connectionParameters
        func value(_ keyword: String) -> [String] { parameters.filter { $0.keyword == keyword }.map(\.value) }
        #expect(value("application_name") == ["cli"])
        #expect(value("tcp_user_timeout") == ["1"])
        #expect(value("keepalives_idle") == ["10"])
        #expect(value("client_encoding") == ["UTF8"])
        #expect(value("options").first?.contains("TimeZone=UTC") == true)
    }

    @Test(
        "a URL that cannot be read is refused without quoting it",
        arguments: [
            "", "host=x", "mysql://x", "postgres://u:SECRET%ZZ@h/db", "postgres://u:SECRET@h/db?nonsense=1",
            "postgres://u:SECRET@[::1/db",
        ]
    )
    func refused(url: String) throws {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.description.contains("SECRET") == false)
    }

    @Test("only names are looked up")
    func names() throws {
        func isNeeded(_ url: String) throws -> Bool {
            HostResolver.isNeeded(try PostgresConfiguration(url: url).connectionParameters)
        }
        #expect(try isNeeded("postgres://localhost/db"))
        #expect(try !isNeeded("postgres://127.0.0.1/db"))
        #expect(try !isNeeded("postgres://[::1]/db"))
        #expect(try !isNeeded("postgres:///db?host=/run"))
        let resolved = HostResolver.resolve([("host", "localhost,127.0.0.1")])
        let address = resolved?.last { $0.keyword == "hostaddr" }?.value
        #expect(address?.hasSuffix(",") == true)
        #expect(address != ",")
    }

    @Test("codes are matched, described and sorted into their classes")
    func sqlStates() {
        let error = PostgresError(sqlState: .uniqueViolation, serverMessage: "SECRET", serverDetail: "SECRET")
        #expect(SQLState.uniqueViolation ~= error)
        #expect(!(SQLState.deadlockDetected ~= error))
        #expect(SQLState("40P01").isTransient)
        #expect(SQLState("08006").isConnectionFailure)
        #expect(SQLState("57P03").isConnectionFailure)
        #expect(!SQLState("57014").isConnectionFailure)
        #expect(SQLState("ST001").description == "ST001")
        #expect("\(error) \(error.debugDescription)".contains("SECRET") == false)
    }
}
