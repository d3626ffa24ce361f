import Testing

/// The whole system, seen from outside: built executables, real stores, HTTP.
///
/// Serialized, because each test runs two instances and measures what one sees of the other.
@Suite("Integration", .serialized)
struct Integration {}
