import ArgumentParser
import Foundation
import Kernel

/// A secret that was given as an option, or in a file, or on standard input.
enum SecretSource {
    /// The secret, without a line break at its end, nor a byte order mark before it, which nobody typed.
    ///
    /// - Throws: ``CommandFailure`` if it is given not at all or twice.
    static func read(_ option: String, value: String?, file: String?) throws -> String {
        switch (value, file) {
        case (let value?, nil):
            return value
        case (nil, let file?):
            let data =
                file == "-" ? try FileHandle.standardInput.readToEnd() : FileManager.default.contents(atPath: file)
            guard let data, let text = String(validating: data, as: UTF8.self) else {
                throw CommandFailure(.failed, "--\(option)-file \(file): cannot be read")
            }
            return String(Text.withoutByteOrderMark(text).prefix { !$0.isNewline })
        default:
            throw CommandFailure(.usage, "give either --\(option) or --\(option)-file (- is standard input)")
        }
    }
}
