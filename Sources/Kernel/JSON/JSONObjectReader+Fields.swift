/// The fields of the shop's bodies by kind, so that a parser reads like the documentation of its body.
extension JSONObjectReader {
    /// A required line of text.
    package mutating func text(_ name: String, _ rule: TextRule = .name) -> String {
        required(name, else: "", .text(rule))
    }

    /// A line of text that may be absent, null or blank.
    package mutating func optionalText(_ name: String, _ rule: TextRule = .name) -> String? {
        optional(name, .blankable(rule)) ?? nil
    }

    /// A line of text of a merge patch, which null removes, and a blank one too.
    package mutating func clearableText(_ name: String, _ rule: TextRule = .name) -> Change<String?> {
        switch clearableChange(name, .blankable(rule)) {
        case .keep: .keep
        case .set(let text): .set(text ?? nil)
        }
    }

    /// A required amount.
    package mutating func money(_ name: String, _ range: DecimalRange = .notNegative) -> Money {
        required(name, else: .zero, .decimal(range))
    }

    /// An amount that may be absent.
    package mutating func optionalMoney(_ name: String, _ range: DecimalRange = .notNegative) -> Money? {
        optional(name, .decimal(range))
    }

    /// A required unit price.
    package mutating func price(_ name: String) -> Price { required(name, else: .zero, .decimal(.notNegative)) }

    /// A unit price that may be absent.
    package mutating func optionalPrice(_ name: String) -> Price? { optional(name, .decimal(.notNegative)) }

    /// A required quantity.
    package mutating func quantity(_ name: String, _ range: DecimalRange = .positive) -> Quantity {
        required(name, else: .zero, .decimal(range))
    }

    /// A quantity that may be absent.
    package mutating func optionalQuantity(_ name: String, _ range: DecimalRange = .any) -> Quantity? {
        optional(name, .decimal(range))
    }

    /// A required id.
    package mutating func id<Kind>(_ name: String) -> ID<Kind> {
        required(name, else: ID<Kind>(EntityID(high: 0, low: 0)), .id())
    }

    /// An id that may be absent; examples show it only where nothing else says what is meant.
    package mutating func optionalID<Kind>(_ name: String, isShown: Bool = false) -> ID<Kind>? {
        optional(name, isShown: isShown, .id())
    }

    /// A required choice.
    package mutating func choice<T>(_ name: String, else placeholder: T) -> T
    where T: RawRepresentable & CaseIterable, T.RawValue == String {
        required(name, else: placeholder, .oneOf())
    }

    /// A choice that may be absent.
    package mutating func optionalChoice<T>(_ name: String) -> T?
    where T: RawRepresentable & CaseIterable, T.RawValue == String {
        optional(name, .oneOf())
    }

    /// A time that may be absent.
    package mutating func optionalTimestamp(_ name: String) -> Timestamp? { optional(name, .timestamp) }

    /// A boolean that may be absent.
    package mutating func optionalBool(_ name: String) -> Bool? { optional(name, .bool) }
}
