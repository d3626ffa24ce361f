/// The identity of a type in PostgreSQL's catalog.
///
/// The numbers of built-in types never change (pg_type.dat); types made by migrations have no fixed number and are
/// sent as ``unspecified``, which lets the server infer them.
package struct PostgresType: Hashable, Sendable, CustomStringConvertible {
    /// The OID.
    package let oid: UInt32

    /// Makes a type from its OID.
    ///
    /// - Parameter oid: The number in `pg_type`.
    package init(oid: UInt32) {
        self.oid = oid
    }

    package var description: String { "oid \(oid)" }

    /// The server infers the type.
    package static let unspecified = PostgresType(oid: 0)

    package static let bool = PostgresType(oid: 16)
    package static let bytea = PostgresType(oid: 17)
    package static let name = PostgresType(oid: 19)
    package static let int8 = PostgresType(oid: 20)
    package static let int2 = PostgresType(oid: 21)
    package static let int4 = PostgresType(oid: 23)
    package static let text = PostgresType(oid: 25)
    package static let oid = PostgresType(oid: 26)
    package static let json = PostgresType(oid: 114)
    package static let unknown = PostgresType(oid: 705)
    package static let bpchar = PostgresType(oid: 1_042)
    package static let varchar = PostgresType(oid: 1_043)
    package static let date = PostgresType(oid: 1_082)
    package static let timestamptz = PostgresType(oid: 1_184)
    package static let numeric = PostgresType(oid: 1_700)
    package static let void = PostgresType(oid: 2_278)
    package static let uuid = PostgresType(oid: 2_950)
    package static let jsonb = PostgresType(oid: 3_802)
    package static let pgSnapshot = PostgresType(oid: 5_038)
    package static let xid8 = PostgresType(oid: 5_069)

    package static let jsonArray = PostgresType(oid: 199)
    package static let xid8Array = PostgresType(oid: 271)
    package static let boolArray = PostgresType(oid: 1_000)
    package static let byteaArray = PostgresType(oid: 1_001)
    package static let int2Array = PostgresType(oid: 1_005)
    package static let int4Array = PostgresType(oid: 1_007)
    package static let textArray = PostgresType(oid: 1_009)
    package static let int8Array = PostgresType(oid: 1_016)
    package static let dateArray = PostgresType(oid: 1_182)
    package static let timestamptzArray = PostgresType(oid: 1_185)
    package static let numericArray = PostgresType(oid: 1_231)
    package static let uuidArray = PostgresType(oid: 2_951)
    package static let jsonbArray = PostgresType(oid: 3_807)

    /// Whether the binary form of the type is its UTF-8 text.
    package var isText: Bool {
        switch self {
        case .text, .varchar, .bpchar, .name, .json, .unknown: true
        default: false
        }
    }
}
