package import Kernel
package import Postgres

/// A column of a record that a client writes: one description for making a row and for changing it.
package struct Column<Fields: Sendable>: Sendable {
    /// Where the value lies.
    package typealias Path<Value> = any KeyPath<Fields, Change<Value>> & Sendable

    let name: SQL
    let type: PostgresType
    /// What is written, made of the parameter that is bound.
    private(set) var written: @Sendable (SQL) -> SQL = { $0 }
    /// What a new row gets where no value is given.
    private(set) var standard: SQL?
    let isSet: @Sendable (Fields) -> Bool
    /// Binds the value; NULL where there is none.
    let bind: @Sendable (Fields, inout Parameters) throws(PostgresError) -> Void

    private init<Value>(
        _ name: SQL,
        _ type: PostgresType,
        _ path: Path<Value>,
        _ bind: @escaping @Sendable (Value?, inout Parameters) throws(PostgresError) -> Void
    ) {
        self.name = name
        self.type = type
        isSet = { $0[keyPath: path].isSet }
        self.bind = { (fields, parameters) throws(PostgresError) in
            try bind(fields[keyPath: path].newValue, &parameters)
        }
    }

    /// The same column, of which a new row gets what SQL says where no value is given.
    package func or(_ standard: SQL) -> Column {
        var column = self
        column.standard = standard
        return column
    }

    private var normalized: Column {
        var column = self
        column.written = { "normalize(\($0), NFC)" }
        return column
    }

    // MARK: Kinds

    /// A line of text, kept in normal form C.
    package static func text(_ name: SQL, _ path: Path<String>) -> Column {
        Column(name, .text, path) { (value, parameters) throws(PostgresError) in try parameters.append(value) }
            .normalized
    }

    /// A line of text that may be NULL, kept in normal form C.
    package static func text(_ name: SQL, _ path: Path<String?>) -> Column {
        plain(name, path).normalized
    }

    /// Text that may be NULL, kept as it is: what other systems call it.
    package static func plain(_ name: SQL, _ path: Path<String?>) -> Column {
        Column(name, .text, path) { (value, parameters) throws(PostgresError) in try parameters.append(value ?? nil) }
    }

    /// The id of another record.
    package static func id<Kind>(_ name: SQL, _ path: Path<ID<Kind>>) -> Column {
        Column(name, .uuid, path) { (value, parameters) throws(PostgresError) in try parameters.append(value) }
    }

    /// The id of another record that may be NULL.
    package static func id<Kind>(_ name: SQL, _ path: Path<ID<Kind>?>) -> Column {
        Column(name, .uuid, path) { (value, parameters) throws(PostgresError) in try parameters.append(value ?? nil) }
    }

    /// A decimal number.
    package static func decimal<Number: FixedPoint>(_ name: SQL, _ path: Path<Number>) -> Column {
        Column(name, .numeric, path) { (value, parameters) throws(PostgresError) in try parameters.append(value) }
    }

    /// A decimal number that may be NULL.
    package static func decimal<Number: FixedPoint>(_ name: SQL, _ path: Path<Number?>) -> Column {
        Column(name, .numeric, path) { (value, parameters) throws(PostgresError) in try parameters.append(value ?? nil)
        }
    }

    /// A small whole number.
    package static func small(_ name: SQL, _ path: Path<Int>) -> Column {
        Column(name, .int2, path) { (value, parameters) throws(PostgresError) in
            try parameters.append(value.map { Int16(clamping: $0) })
        }
    }

    /// `true` or `false`.
    package static func flag(_ name: SQL, _ path: Path<Bool>) -> Column {
        Column(name, .bool, path) { (value, parameters) throws(PostgresError) in try parameters.append(value) }
    }

    /// `true`, `false` or NULL.
    package static func flag(_ name: SQL, _ path: Path<Bool?>) -> Column {
        Column(name, .bool, path) { (value, parameters) throws(PostgresError) in try parameters.append(value ?? nil) }
    }

    /// The code of a currency.
    package static func currency(_ name: SQL, _ path: Path<Currency>) -> Column {
        Column(name, .text, path) { (value, parameters) throws(PostgresError) in try parameters.append(value?.code) }
    }

    /// One of the names of an enumeration.
    package static func choice<Name: RawRepresentable & SendableMetatype>(_ name: SQL, _ path: Path<Name>) -> Column
    where Name.RawValue == String {
        Column(name, .text, path) { (value, parameters) throws(PostgresError) in try parameters.append(value?.rawValue)
        }
    }
}
