import Kernel
import Postgres

/// What a command is about to do something with, by the location that it is of.
enum Placed {
    /// Goods at these locations, each with where the body names it; nil is the only open one.
    case locations([(id: LocationID?, pointer: String)])
    /// What is sold at this register; nil is the default one.
    case register(RegisterID?)
    /// A count.
    case count(StockCountID)
    /// What a transfer takes from somewhere.
    case leaving(TransferID)
    /// What was sold there.
    case sale(SaleID)
    /// What was quoted there.
    case quote(QuoteID)
    /// Money that was taken or given there.
    case payment(PaymentID)
    /// Money that went through a drawer there for no document.
    case entry(EntityID)
    /// A drawer there.
    case session(CashSessionID)
    /// What is bought for there.
    case purchase(PurchaseID)
    /// What a transfer brings somewhere.
    case coming(TransferID)
}

extension UnitOfWork {
    /// Says where the unit is at work: its days are of that place's time zone.
    ///
    /// Refuses places of several zones, and with 403 `forbidden` a member who is limited to other locations; who works everywhere,
    /// as API keys do, is not asked.
    ///
    /// - Parameters:
    ///   - placed: What the command is about.
    ///   - caller: Who asks.
    /// - Throws: ``PostgresError`` of code `encoding`.
    mutating func refuseElsewhere(_ placed: Placed, _ caller: Caller) throws(PostgresError) {
        try add(EnterPlaces(placed: placed))
        guard case .only(let locations) = caller.workplaces else { return }
        try add(RefuseElsewhere(locations: locations, placed: placed))
    }
}

/// Says where a unit is at work.
struct EnterPlaces: Statement {
    static let name = "stock.enter_places"
    static let sql: SQL = "SELECT stock.at_places($1, $2, $3)"
    static let parameterTypes: [PostgresType] = [.text, .uuidArray, .textArray]

    let placed: Placed

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(placed) }
}

/// Refuses what is of a location at which a member does not work.
struct RefuseElsewhere: Statement {
    static let name = "stock.refuse_elsewhere"
    static let sql: SQL = "SELECT stock.refuse_elsewhere($1, $2, $3, $4)"
    static let parameterTypes: [PostgresType] = [.uuidArray, .text, .uuidArray, .textArray]

    let locations: [LocationID]
    let placed: Placed

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(locations)
        try parameters.append(placed)
    }
}

extension Parameters {
    /// What a command is about: its kind, the ids of it, and where the body names each.
    fileprivate mutating func append(_ placed: Placed) throws(PostgresError) {
        let kind: String
        let named: [(id: EntityID?, pointer: String)]
        switch placed {
        case .locations(let locations):
            kind = "location"
            named = locations.map { ($0.id?.entity, $0.pointer) }
        case .register(let id):
            kind = "register"
            named = [(id?.entity, "/register_id")]
        case .sale(let id):
            kind = "sale"
            named = [(id.entity, "")]
        case .quote(let id):
            kind = "quote"
            named = [(id.entity, "")]
        case .payment(let id):
            kind = "payment"
            named = [(id.entity, "")]
        case .entry(let id):
            kind = "money_entry"
            named = [(id, "")]
        case .session(let id):
            kind = "cash_session"
            named = [(id.entity, "")]
        case .purchase(let id):
            kind = "purchase"
            named = [(id.entity, "/location_id")]
        case .count(let id):
            kind = "count"
            named = [(id.entity, "/location_id")]
        case .leaving(let id):
            kind = "transfer_from"
            named = [(id.entity, "/from_location_id")]
        case .coming(let id):
            kind = "transfer_to"
            named = [(id.entity, "/to_location_id")]
        }
        try append(kind)
        try append(named.map { $0.id.map { ID<Any>($0) } })
        try append(named.map(\.pointer))
    }
}
