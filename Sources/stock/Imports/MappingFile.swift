import Domain
import Foundation
import Kernel

/// A mapping file: one JSON object with the options of a file and, under `columns`, its column names by field.
enum MappingFile {
    static func read(_ path: String) throws -> ImportMapping {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(.failed, "\(path): cannot be read")
        }
        do {
            return try parse(Array(data))
        } catch let fault as ImportMapping.Fault {
            throw CommandFailure(.failed, "\(path): \(fault)")
        } catch let error as JSONError {
            throw CommandFailure(.failed, "\(path): not JSON: \(error)")
        }
    }

    static func parse(_ bytes: [UInt8]) throws -> ImportMapping {
        guard case .object(let object) = try JSONValue.parse(bytes) else {
            throw ImportMapping.Fault("a mapping is a JSON object")
        }
        var mapping = ImportMapping()
        for (name, value) in object.members {
            if name == "columns" {
                guard case .object(let columns) = value else {
                    throw ImportMapping.Fault("columns is no object of column names by field")
                }
                for (field, column) in columns.members {
                    guard case .string(let column) = column else {
                        throw ImportMapping.Fault("columns: \(field) is not named by a text")
                    }
                    mapping.columns[field] = column
                }
            } else {
                guard case .string(let text) = value else { throw ImportMapping.Fault("\(name) is no text") }
                try mapping.set(name, to: text)
            }
        }
        return mapping
    }
}
