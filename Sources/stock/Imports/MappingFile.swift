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
            return try parse(bytes)
        } catch let fault as ImportMapping.Fault {
            throw CommandFailure(.failed, "\(path): \(fault)")
        } catch let error as JSONError {
            throw CommandFailure(.failed, "\(path): not JSON: \(error)")
        }
    }

    static func parse(_ bytes: [UInt8]) throws -> ImportMapping {
        // Editors put a byte order mark before it.
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        guard case .object(let object) = try JSONValue.parse(text) else {
            throw ImportMapping.Fault("a mapping is a JSON object")
        }
        var mapping = ImportMapping()
        for (name, value) in object.members {
            if name == "columns" {
                guard case .object(let columns) = value else {
                    throw ImportMapping.Fault("columns is no object of column names by field")
                }
                for (field, column) in columns.members {
                    switch column {
                    case .string(let column): mapping.columns[field] = column
                    case .null: mapping.unreadFields.insert(field)
                    default: throw ImportMapping.Fault("columns: \(field) is no name of a column, nor null for none")
                    }
                }
            } else {
                // The name first: what a member that there is not may hold is no help.
                let accepted = try ImportMapping.accepted(of: name)
                guard case .string(let text) = value else {
                    throw ImportMapping.Fault("\(name) is no text; accepted: \(accepted)")
                }
                try mapping.set(name, to: text)
            }
        }
        return mapping
    }
}
