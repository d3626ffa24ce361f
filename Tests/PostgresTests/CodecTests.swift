import Postgres
import TestSupport
import Testing

/// Binary forms compared with what the server makes of them.
@Suite(.timeLimit(.minutes(1)))
struct CodecTests {
    struct EchoNumeric: Statement {
        struct Row: DecodableRow {
            let text: String
            let value: Int64
            let values: [Int64?]
            let missing: Int64?

            init(from row: inout RowReader) throws(PostgresError) {
                text = try row.next()
                value = try row.nextNumeric(scale: 4)
                values = try row.nextNumericArray(scale: 6)
                missing = try row.nextNumericIfPresent(scale: 0)
            }
        }
        static let name = "test.echo-numeric"
        static let sql: SQL = "SELECT $1::text, $1, $2, $3"
        static let parameterTypes: [PostgresType] = [.numeric, .numericArray, .numeric]
        var value: Int64
        var values: [Int64?]

        func bind(_ parameters: inout Parameters) throws(PostgresError) {
            try parameters.appendNumeric(value, scale: 4)
            try parameters.appendNumericArray(values, scale: 6)
            try parameters.appendNull()
        }
    }

    @Test("numerics mean to the server what they mean here")
    func numerics() async throws {
        func text(_ value: Int64) -> String {
            let digits = String(value.magnitude)
            let padded = String(repeating: "0", count: max(0, 5 - digits.count)) + digits
            return (value < 0 ? "-" : "") + padded.dropLast(4) + "." + padded.suffix(4)
        }
        try await withClient(try await makeURL(), statements: [EchoNumeric.self]) { client in
            var values: [Int64] = [0, 1, -1, 10_000, 9_999, -123_456_789, .max, .min, 1_000_000_000_000]
            for _ in 0..<200 { values.append(Int64.random(in: .min ... .max) >> Int64.random(in: 0..<63)) }
            for value in values {
                let array: [Int64?] = [value, nil, -1, 0]
                let rows = try await client.query(
                    EchoNumeric(value: value, values: array),
                    tenant: nil,
                    deadline: seconds(10)
                )
                let row = try #require(rows.first)
                #expect(row.text == text(value))
                #expect(row.value == value)
                #expect(row.values == array)
                #expect(row.missing == nil)
            }
        }
    }

    struct Everything: DecodableRow, Equatable {
        var flag: Bool
        var small: Int16
        var medium: Int32
        var large: Int64
        var text: String
        var empty: String
        var bytes: [UInt8]
        var json: [UInt8]
        var jsonb: String
        var id: PostgresUUID
        var day: PostgresDate
        var instant: PostgresTimestamp
        var xid: XID8
        var snapshot: PGSnapshot
        var longs: [Int64?]
        var texts: [String]
        var ids: [PostgresUUID]
        var nothing: [Int32]
        var missing: String?
    }

    struct Echo: Statement {
        typealias Row = Everything
        static let name = "test.echo"
        static let sql: SQL = """
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
            """
        static let parameterTypes: [PostgresType] = [
            .bool, .int2, .int4, .int8, .text, .text, .bytea, .json, .jsonb, .uuid, .date, .timestamptz, .xid8,
            .pgSnapshot, .int8Array, .textArray, .uuidArray, .int4Array, .text,
        ]
        var value: Everything

        func bind(_ parameters: inout Parameters) throws(PostgresError) {
            try parameters.append(value.flag)
            try parameters.append(value.small)
            try parameters.append(value.medium)
            try parameters.append(value.large)
            try parameters.append(value.text)
            try parameters.append(value.empty)
            try parameters.append(value.bytes)
            try parameters.appendJSON(value.json)
            try parameters.append(value.jsonb)
            try parameters.append(value.id)
            try parameters.append(value.day)
            try parameters.append(value.instant)
            try parameters.append(value.xid)
            try parameters.append(value.snapshot)
            try parameters.append(value.longs)
            try parameters.append(value.texts)
            try parameters.append(value.ids)
            try parameters.append(value.nothing)
            try parameters.append(value.missing)
        }
    }

    @Test("every type comes back from the server as it was sent")
    func echo() async throws {
        let value = Everything(
            flag: true,
            small: -2,
            medium: 3,
            large: .min,
            text: "Käse, 🧀 'quoted'",
            empty: "",
            bytes: [0, 1, 255],
            json: Array(#"{"a" : 1}"#.utf8),
            jsonb: #"{"a": 1}"#,
            id: PostgresUUID(high: 0x0123_4567_89AB_CDEF, low: .max),
            day: PostgresDate(days: -1),
            instant: PostgresTimestamp(microseconds: 123_456_789),
            xid: XID8(rawValue: 1 << 40),
            snapshot: PGSnapshot(xmin: 5, xmax: 9, xip: [5, 7]),
            longs: [1, nil, -3],
            texts: ["", "b"],
            ids: [PostgresUUID(high: 1, low: 2)],
            nothing: [],
            missing: nil
        )
        try await withClient(try await makeURL(), statements: [Echo.self]) { client in
            let rows = try await client.query(Echo(value: value), tenant: nil, deadline: seconds(10))
            #expect(rows == [value])
        }
    }

    struct Mismatch: Statement {
        typealias Row = SingleColumn<Int64>
        static let name = "test.mismatch"
        static let sql: SQL = "SELECT $1::text"
        static let parameterTypes: [PostgresType] = [.text]
        var text: String?

        func bind(_ parameters: inout Parameters) throws(PostgresError) {
            try parameters.append(text)
        }
    }

    @Test("a column of another type, a NUL and a wrong parameter are errors that name the statement")
    func mismatches() async throws {
        try await withClient(try await makeURL()) { client in
            let wrong = await failure {
                _ = try await client.query(Mismatch(text: "1"), tenant: nil, deadline: seconds(10))
            }
            #expect(wrong?.code == .decoding)
            #expect(wrong?.statement == Mismatch.name)
        }
        var unit = UnitOfWork(tenant: nil, access: .read)
        #expect(throws: PostgresError.self) { try unit.add(Mismatch(text: "a\u{0}b")) }
        #expect(unit.isEmpty)
    }
}

extension CodecTests.Everything {
    init(from row: inout RowReader) throws(PostgresError) {
        flag = try row.next()
        small = try row.next()
        medium = try row.next()
        large = try row.next()
        text = try row.next()
        empty = try row.next()
        bytes = try row.nextBytes()
        json = try row.nextBytes()
        jsonb = try row.next()
        id = try row.next()
        day = try row.next()
        instant = try row.next()
        xid = try row.next()
        snapshot = try row.next()
        longs = try row.next()
        texts = try row.next()
        ids = try row.next()
        nothing = try row.next()
        missing = try row.next()
    }
}
