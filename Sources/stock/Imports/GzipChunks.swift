import Foundation
import Services
import Subprocess

/// A compressed file's bytes, by way of `gzip -dc`.
///
/// The end is told only after gzip has ended well: a truncated file is an error and not a short one.
enum GzipChunks {
    /// Runs `body` with the decompressed bytes.
    static func with<Value: Sendable>(
        path: String,
        _ body: (Handoff) async throws -> Value
    ) async throws -> Value {
        let handoff = Handoff()
        let feeding = Task { await feed(handoff, path: path) }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(handoff))
        } catch {
            result = .failure(error)
        }
        handoff.abandon()
        feeding.cancel()
        await feeding.value
        return try result.get()
    }

    private static func feed(_ handoff: Handoff, path: String) async {
        do {
            let outcome = try await Subprocess.run(
                .name("gzip"),
                arguments: ["-dc", "--", path],
                input: .none,
                output: .sequence,
                error: .string(limit: 4_096)
            ) { execution in
                for try await buffer in execution.standardOutput {
                    let portion = buffer.withUnsafeBytes { Array($0) }
                    guard await handoff.give(portion) else { return }
                }
            }
            if outcome.terminationStatus.isSuccess {
                handoff.finish(.success(()))
            } else {
                let said = outcome.standardError.split(separator: "\n").first.map { ": \($0)" } ?? ""
                handoff.finish(.failure(CommandFailure(.failed, "\(path): gzip cannot decompress it\(said)")))
            }
        } catch {
            handoff.finish(.failure(CommandFailure(.failed, "\(path): gzip cannot be run: \(error)")))
        }
    }
}
