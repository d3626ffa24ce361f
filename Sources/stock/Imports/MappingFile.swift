import Domain
import Foundation
import Kernel

/// A mapping file: one JSON object with the options of a file and, under `columns`, its column names by field.
enum MappingFile {
    static func read(_ path: String) throws -> ImportMapping {
        var bytes: [UInt8] = []
        let file = try FileChunks(path: path)
        while let chunk = try file.read(upTo: 1 << 17) { bytes += chunk }
        do {
            return try ImportMapping(try JSONValue.parse(bytes))
        } catch let fault as ImportMapping.Fault {
            throw CommandFailure(.failed, "\(path): \(fault)")
        } catch let error as JSONError {
            throw CommandFailure(.failed, "\(path): not JSON: \(error)")
        }
    }
}
