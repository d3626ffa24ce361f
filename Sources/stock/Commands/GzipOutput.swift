import Subprocess
import Synchronization

/// Bytes compressed by `gzip -c` on their way out.
enum GzipOutput {
    /// Runs `produce`, and writes what it gives, compressed.
    ///
    /// - Parameters:
    ///   - write: Takes compressed bytes, whose last are written when this returns.
    ///   - produce: Gives the bytes, and is held up by whoever does not take them.
    /// - Returns: What `produce` returned.
    /// - Throws: What `produce` or `write` throws, `CommandFailure` if gzip does not end well.
    static func with<Value: Sendable>(
        _ write: ([UInt8]) throws -> Void,
        _ produce: @escaping @Sendable (_ give: @Sendable ([UInt8]) async throws -> Void) async throws -> Value
    ) async throws -> Value {
        let outcome = try await Subprocess.run(
            .name("gzip"),
            arguments: ["-c"],
            input: .inputWriter,
            output: .sequence,
            error: .string(limit: 4_096)
        ) { execution in
            let input = execution.standardInputWriter
            let isRefused = Mutex(false)
            async let produced = result {
                let result = await self.result {
                    try await produce { portion in
                        // What gzip has is taken to its end even so, as it would wait for ever with its pipes full.
                        if isRefused.withLock({ $0 }) { throw CancellationError() }
                        _ = try await input.write(portion)
                    }
                }
                try? await input.finish()
                return try result.get()
            }
            var refusal: (any Error)?
            for try await buffer in execution.standardOutput where refusal == nil {
                do {
                    try write(buffer.withUnsafeBytes { Array($0) })
                } catch {
                    refusal = error
                    isRefused.withLock { $0 = true }
                }
            }
            let result = await produced
            return refusal.map { .failure($0) } ?? result
        }
        let value = try outcome.closureResult.get()
        guard outcome.terminationStatus.isSuccess else {
            let said = outcome.standardError.split(separator: "\n").first.map { ": \($0)" } ?? ""
            throw CommandFailure(.failed, "gzip cannot compress the file\(said)")
        }
        return value
    }

    private static func result<Value: Sendable>(
        _ body: () async throws -> Value
    ) async -> Result<Value, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
