/// One argument of a command: bytes, text or a number in decimal.
package struct RedisArgument: Sendable {
    fileprivate enum Storage {
        case literal(StaticString)
        case bytes([UInt8])
        case text(String)
        case integer(Int64)
    }

    fileprivate let storage: Storage

    package static func bytes(_ bytes: [UInt8]) -> RedisArgument {
        RedisArgument(storage: .bytes(bytes))
    }

    package static func text(_ text: String) -> RedisArgument {
        RedisArgument(storage: .text(text))
    }

    package static func integer(_ value: Int64) -> RedisArgument {
        RedisArgument(storage: .integer(value))
    }

    package static func integer(_ value: Int) -> RedisArgument {
        RedisArgument(storage: .integer(Int64(value)))
    }
}

extension RedisArgument: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    package init(stringLiteral value: StaticString) {
        storage = .literal(value)
    }

    package init(integerLiteral value: Int64) {
        storage = .integer(value)
    }
}

/// A command and its arguments, laid out one after the other in one buffer: binary safe, two allocations in all.
package struct RedisCommand: Sendable {
    /// The bytes of all arguments.
    private(set) var bytes: [UInt8] = []
    /// Where each argument ends in ``bytes``.
    private(set) var ends: [Int] = []

    /// Makes an empty command; room for what will be appended saves copies.
    package init(reservingBytes byteCount: Int, arguments argumentCount: Int) {
        bytes.reserveCapacity(byteCount)
        ends.reserveCapacity(argumentCount)
    }

    package init(_ arguments: RedisArgument...) {
        self.init(arguments)
    }

    package init(_ arguments: [RedisArgument]) {
        self.init(reservingBytes: 32 * arguments.count, arguments: arguments.count)
        for argument in arguments {
            append(argument)
        }
    }

    package init(_ arguments: [[UInt8]]) {
        self.init(reservingBytes: arguments.reduce(0) { $0 + $1.count }, arguments: arguments.count)
        for argument in arguments {
            append(argument)
        }
    }

    package mutating func append(_ argument: RedisArgument) {
        switch argument.storage {
        case .literal(let text): append(text)
        case .bytes(let bytes): append(bytes)
        case .text(let text): append(text)
        case .integer(let value): append(value)
        }
    }

    package mutating func append(_ argument: [UInt8]) {
        bytes.append(contentsOf: argument)
        ends.append(bytes.count)
    }

    package mutating func append(_ argument: String) {
        bytes.append(contentsOf: argument.utf8)
        ends.append(bytes.count)
    }

    package mutating func append(_ argument: Int64) {
        append(String(argument))
    }

    private mutating func append(_ argument: StaticString) {
        if argument.hasPointerRepresentation {
            unsafe bytes.append(
                contentsOf: UnsafeBufferPointer(start: argument.utf8Start, count: argument.utf8CodeUnitCount)
            )
            ends.append(bytes.count)
        } else {
            append(String(describing: argument))
        }
    }

    /// The number of arguments, the command's name included.
    package var argumentCount: Int { ends.count }
}

extension RedisCommand: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: RedisArgument...) {
        self.init(elements)
    }
}
