/// The 16 bytes that name an entity: a UUID, of version 7 when we made it.
package struct EntityID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The first eight bytes, big-endian.
    package let high: UInt64

    /// The last eight bytes, big-endian.
    package let low: UInt64

    /// Joins two halves.
    ///
    /// - Parameters:
    ///   - high: The first eight bytes.
    ///   - low: The last eight bytes.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the canonical text, `018f3b6e-1c2d-7000-8000-0123456789ab`.
    ///
    /// Braces, missing hyphens and other spellings are refused, so that an id has one spelling in keys and logs but for case.
    ///
    /// - Parameter bytes: 36 ASCII bytes; capital hexadecimal digits are accepted.
    package init?(utf8 bytes: some Collection<UInt8>) { self.init(reading: bytes) }

    /// Reads the canonical text.
    ///
    /// Not generic, as every request brings two ids in its token, and generic code is slow across modules.
    ///
    /// - Parameter bytes: 36 ASCII bytes.
    package init?(utf8 bytes: ArraySlice<UInt8>) { self.init(reading: bytes) }

    private init?(reading bytes: some Collection<UInt8>) {
        guard bytes.count == 36 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        var position = 0
        for byte in bytes {
            defer { position += 1 }
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Hexadecimal.value(of: byte) else { return nil }
            if position < 18 {
                halves.0 = halves.0 << 4 | UInt64(digit)
            } else {
                halves.1 = halves.1 << 4 | UInt64(digit)
            }
        }
        self.init(high: halves.0, low: halves.1)
    }

    /// Reads the canonical text.
    ///
    /// - Parameter text: As for bytes.
    package init?(_ text: some StringProtocol) { self.init(utf8: text.utf8) }

    /// Reads sixteen bytes.
    ///
    /// - Parameter bytes: Exactly sixteen, big-endian.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        for (position, byte) in bytes.enumerated() {
            if position < 8 { halves.0 = halves.0 << 8 | UInt64(byte) } else { halves.1 = halves.1 << 8 | UInt64(byte) }
        }
        self.init(high: halves.0, low: halves.1)
    }

    /// The sixteen bytes.
    package var bytes: [UInt8] {
        (0..<16).map { position in
            let half = position < 8 ? high : low
            return UInt8(truncatingIfNeeded: half >> UInt64(56 - position % 8 * 8))
        }
    }

    /// The canonical text in lower case.
    package var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for half in [high, low] {
                for shift in stride(from: UInt64(60), through: 0, by: -4) {
                    if position == 8 || position == 13 || position == 18 || position == 23 {
                        buffer[position] = UInt8(ascii: "-")
                        position += 1
                    }
                    buffer[position] = Hexadecimal.digit(of: UInt8(truncatingIfNeeded: half >> shift & 15))
                    position += 1
                }
            }
            return position
        }
    }

    package static func < (left: EntityID, right: EntityID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// The id of one kind of entity, so that a sale's cannot stand where a product's is meant.
package struct ID<Kind>: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The id without its kind.
    package let entity: EntityID

    /// Gives an id its kind.
    ///
    /// - Parameter entity: The id.
    package init(_ entity: EntityID) { self.entity = entity }

    /// Reads the canonical text.
    ///
    /// - Parameter text: 36 ASCII characters.
    package init?(_ text: some StringProtocol) {
        guard let entity = EntityID(text) else { return nil }
        self.entity = entity
    }

    /// A new id of version 7, later than every other made by this process.
    package static func make() -> Self { Self(UUIDv7.make()) }

    /// The canonical text.
    package var description: String { entity.description }

    package static func < (left: Self, right: Self) -> Bool { left.entity < right.entity }
}

/// The kinds of entity that ids are made for; never instantiated.
package enum Entity {
    package enum User {}
    package enum Session {}
    package enum APIKey {}
    package enum Category {}
    package enum Unit {}
    package enum Product {}
    package enum Barcode {}
    package enum Packaging {}
    package enum Movement {}
    package enum Location {}
    package enum StockCount {}
    package enum Transfer {}
    package enum TransferLine {}
    package enum Customer {}
    package enum Register {}
    package enum CashSession {}
    package enum CashEntry {}
    package enum Sale {}
    package enum SaleLine {}
    package enum SaleReturn {}
    package enum SaleReturnLine {}
    package enum Payment {}
    package enum LedgerEntry {}
    package enum Purchase {}
    package enum PurchaseLine {}
    package enum Import {}
    package enum ImportRequest {}
    package enum Invitation {}
    package enum AuditEntry {}
    package enum Quote {}
    package enum Approval {}
    package enum QuoteLine {}
    package enum Webhook {}
    package enum WebhookDelivery {}
}

package typealias UserID = ID<Entity.User>
package typealias SessionID = ID<Entity.Session>
package typealias APIKeyID = ID<Entity.APIKey>
package typealias CategoryID = ID<Entity.Category>
package typealias UnitID = ID<Entity.Unit>
package typealias ProductID = ID<Entity.Product>
package typealias BarcodeID = ID<Entity.Barcode>
package typealias PackagingID = ID<Entity.Packaging>
package typealias MovementID = ID<Entity.Movement>
package typealias LocationID = ID<Entity.Location>
package typealias StockCountID = ID<Entity.StockCount>
package typealias TransferID = ID<Entity.Transfer>
package typealias TransferLineID = ID<Entity.TransferLine>
package typealias CustomerID = ID<Entity.Customer>
package typealias RegisterID = ID<Entity.Register>
package typealias CashSessionID = ID<Entity.CashSession>
package typealias SaleID = ID<Entity.Sale>
package typealias SaleLineID = ID<Entity.SaleLine>
package typealias SaleReturnID = ID<Entity.SaleReturn>
package typealias SaleReturnLineID = ID<Entity.SaleReturnLine>
package typealias PaymentID = ID<Entity.Payment>
package typealias LedgerEntryID = ID<Entity.LedgerEntry>
package typealias PurchaseID = ID<Entity.Purchase>
package typealias PurchaseLineID = ID<Entity.PurchaseLine>
package typealias ImportID = ID<Entity.Import>
package typealias ImportRequestID = ID<Entity.ImportRequest>
package typealias InvitationID = ID<Entity.Invitation>
package typealias ApprovalID = ID<Entity.Approval>
package typealias QuoteID = ID<Entity.Quote>
package typealias QuoteLineID = ID<Entity.QuoteLine>
package typealias WebhookID = ID<Entity.Webhook>
package typealias WebhookDeliveryID = ID<Entity.WebhookDelivery>
package typealias AuditEntryID = ID<Entity.AuditEntry>

/// The number of a tenant, the first column of every key.
package struct TenantID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The bigint of the column, above zero.
    package let rawValue: Int64

    /// Wraps a number.
    ///
    /// - Parameter rawValue: The bigint of the column.
    package init(rawValue: Int64) { self.rawValue = rawValue }

    package var description: String { String(rawValue) }

    package static func < (left: TenantID, right: TenantID) -> Bool { left.rawValue < right.rawValue }
}
