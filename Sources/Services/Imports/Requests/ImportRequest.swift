import Domain
package import Kernel
import Postgres

/// A file that is to be imported, as `POST /v1/imports` asks for it.
package struct ImportRequest: Sendable {
    /// What its rows are.
    package let kind: ImportKind
    /// What it is called, for people.
    package let name: String?
    /// How it is to be imported.
    package let options: ImportOptions

    /// Reads the body of `POST /v1/imports`.
    package static func read(_ reader: inout JSONObjectReader) -> ImportRequest {
        let kind: ImportKind = reader.choice("kind", else: .records(.products))
        let name = reader.optionalText("name", .name)
        return ImportRequest(kind: kind, name: name, options: .read(&reader, of: kind))
    }
}

/// How a file is to be imported: what the command is told by its options, by the same names.
package struct ImportOptions: Sendable {
    /// The mapping as it was sent, which is what is shown of it.
    private let mappingText: JSONValue
    /// How the file is written and its columns are called.
    let mapping: ImportMapping
    /// What is done about rows that can not be taken over.
    let onError: ImportErrorPolicy
    /// Whether everything is done and nothing kept.
    let isDryRun: Bool
    /// With how many rejected rows it ends; nil: with none.
    let maxErrors: Int?
    /// What a row does that names something that is there.
    let mode: ImportMode
    /// Whether the status of products is read.
    let readsStatus: Bool
    /// Whether SKUs that no product has become products.
    let createsProducts: Bool
    /// The tender of sales of which the file names none.
    let method: PaymentMethodCode
    /// What is done about sales of what is not on hand.
    let oversell: Overselling

    /// Reads the options of a file, of a body as of what was kept; what does not go with its kind is refused.
    ///
    /// - Parameters:
    ///   - reader: Where they stand.
    ///   - kind: What the file's rows are.
    /// - Returns: The options, by what they are where nothing is said.
    package static func read(_ reader: inout JSONObjectReader, of kind: ImportKind) -> ImportOptions {
        let mapping = reader.optional("mapping", .importMapping(kind.shape))
        let onError: ImportErrorPolicy? = reader.optionalChoice("on_error")
        let isDryRun = reader.optionalBool("dry_run")
        let maxErrors = reader.optional("max_errors", isShown: false, .integer(1...Int(Int32.max)))
        let mode: ImportMode? = reader.optional("mode", isShown: false, .oneOf())
        let readsStatus = reader.optional("read_status", isShown: false, .bool)
        let createsProducts = reader.optional("create_products", isShown: false, .bool)
        let method = reader.optional("payment_method", isShown: false, .paymentMethod)
        let oversell: Overselling? = reader.optional("oversell", isShown: false, .oneOf())
        // What is the same as saying nothing goes with every kind.
        let foreign: [(name: String, isSaid: Bool, isTaken: Bool)] = [
            ("mode", mode == .insert, kind.takesMode),
            ("read_status", readsStatus == true, kind == .records(.products)),
            ("create_products", createsProducts == true, kind == .sales),
            ("payment_method", method.map { $0 != .cash } ?? false, kind == .sales),
            ("oversell", oversell == .deny, kind == .sales),
        ]
        for option in foreign where option.isSaid && !option.isTaken {
            reader.fail(option.name, .notAllowed, "Does not go with a file of \(kind.rawValue).")
        }
        return ImportOptions(
            mappingText: mapping?.text ?? .object(JSONObject()),
            mapping: mapping?.mapping ?? ImportMapping(),
            onError: onError ?? .skip,
            isDryRun: isDryRun ?? false,
            maxErrors: maxErrors,
            mode: mode ?? .upsert,
            readsStatus: readsStatus ?? false,
            createsProducts: createsProducts ?? false,
            method: method ?? .cash,
            oversell: oversell ?? .allow
        )
    }

    /// Reads what was kept.
    ///
    /// - Parameters:
    ///   - json: What ``json`` has written.
    ///   - kind: What the file's rows are.
    /// - Throws: `Problem` if a later version of the program has written what this one does not know.
    init(kept json: [UInt8], of kind: ImportKind) throws {
        var reader = try JSONObjectReader(body: try JSONValue.parse(json))
        let options = ImportOptions.read(&reader, of: kind)
        try reader.finish()
        self = options
    }

    private init(
        mappingText: JSONValue,
        mapping: ImportMapping,
        onError: ImportErrorPolicy,
        isDryRun: Bool,
        maxErrors: Int?,
        mode: ImportMode,
        readsStatus: Bool,
        createsProducts: Bool,
        method: PaymentMethodCode,
        oversell: Overselling
    ) {
        self.mappingText = mappingText
        self.mapping = mapping
        self.onError = onError
        self.isDryRun = isDryRun
        self.maxErrors = maxErrors
        self.mode = mode
        self.readsStatus = readsStatus
        self.createsProducts = createsProducts
        self.method = method
        self.oversell = oversell
    }

    /// The options as they are kept, and shown: all of them.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("mapping")
            writer.value(mappingText)
            writer.member("on_error", onError.rawValue)
            writer.member("dry_run", isDryRun)
            writer.member("max_errors", maxErrors)
            writer.member("mode", mode.rawValue)
            writer.member("read_status", readsStatus)
            writer.member("create_products", createsProducts)
            writer.member("payment_method", method.rawValue)
            writer.member("oversell", oversell.rawValue)
        }
        return writer.bytes
    }
}

extension ImportKind {
    /// Whether a file of it may be told to change nothing that is there.
    fileprivate var takesMode: Bool {
        switch self {
        case .records(.categories), .records(.units), .records(.customers), .records(.suppliers): true
        case .records, .sales: false
        }
    }
}

/// A mapping, and what it was read from.
struct SentMapping {
    let text: JSONValue
    let mapping: ImportMapping
}

extension FieldReading where Value == SentMapping {
    /// A mapping of a file, whose columns are fields of its shape.
    fileprivate static func importMapping(_ shape: ImportShape) -> FieldReading {
        let description = "How the file is written, and its columns by field; without it they are called as the fields."
        return FieldReading(.anyObject(description: description)) { value, pointer, errors in
            do throws(ImportMapping.Fault) {
                let mapping = try ImportMapping(value)
                try mapping.validate(fields: shape.fields)
                return SentMapping(text: value, mapping: mapping)
            } catch {
                errors.add(FieldError(pointer, .notAllowed, "The mapping can not be used: \(error)."))
                return nil
            }
        }
    }
}

/// An import with how far it is.
struct RequestedImport: Resource {
    static let name = "imports.request"
    static let collection = "/v1/imports"
    static let sql: SQL = """
        SELECT stock.import_request_body(r.tenant_id, r.id), NULL::text
        FROM stock.import_request r
        WHERE r.tenant_id = stock.current_tenant() AND r.id = $1
        """

    let id: ImportRequestID

    init(_ id: ImportRequestID) { self.id = id }
}
