import Glibc

/// A session of PostgreSQL in an open transaction, by psql: rolled back when it ends, however it does.
struct HeldSession: Sendable {
    private let process: ChildProcess
    private let input: CInt

    /// Begins a transaction, runs a statement in it, and leaves it open.
    static func begin(_ sql: String, url: String) async throws -> HeldSession {
        let pipe = try Pipe.make()
        let process: ChildProcess
        do {
            process = try ChildProcess.spawn(
                PostgresBinaries.path(of: "psql"),
                ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url],
                inputDescriptor: pipe.readEnd
            )
        } catch {
            close(pipe.readEnd)
            close(pipe.writeEnd)
            throw error
        }
        close(pipe.readEnd)
        let session = HeldSession(process: process, input: pipe.writeEnd)
        let text = Array("BEGIN;\nSET LOCAL lock_timeout = '5s';\n\(sql);\nSELECT 'it is held';\n".utf8)
        // Short enough for the pipe, so that nothing blocks.
        _ = text.withUnsafeBytes { write(pipe.writeEnd, $0.baseAddress, $0.count) }
        do {
            _ = try await process.output.firstLine(within: .seconds(10), "the transaction is open") {
                $0 == "it is held"
            }
        } catch {
            try? await session.end()
            throw error
        }
        return session
    }

    /// Rolls back.
    func end() async throws {
        close(input)
        do {
            try await process.waitForExit(within: .seconds(5))
        } catch {
            process.signal(SIGKILL)
            throw error
        }
    }
}
