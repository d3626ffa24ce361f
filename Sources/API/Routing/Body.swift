import Kernel

/// The body of a request: the one function that reads it, and the shape that follows from what it asks for.
struct Body<Value: Sendable>: Sendable {
    /// Its shape, for the document.
    let schema: Schema
    /// Whether it may be left out; an empty object is read then.
    let isOptional: Bool
    /// Reads it.
    let read: @Sendable (inout JSONObjectReader) -> Value

    /// Describes a body.
    ///
    /// - Parameters:
    ///   - name: What the shape is called in the document; nil for one that only one route has.
    ///   - isOptional: Whether it may be left out.
    ///   - read: Asks for every field it knows, whatever it has read so far.
    init(
        _ name: String? = nil,
        isOptional: Bool = false,
        _ read: @escaping @Sendable (inout JSONObjectReader) -> Value
    ) {
        let shape = JSONObjectReader.schema(of: read)
        schema = name.map { .named($0, shape) } ?? shape
        self.isOptional = isOptional
        self.read = read
    }
}
