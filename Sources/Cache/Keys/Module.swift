/// A part of a tenant's data that is cached and retired as a whole.
///
/// (tenant, module) is a *scope*, the unit of invalidation: nothing finer is ever retired. Which tables feed which module
/// is written in the triggers; the names here are the names there.
package enum Module: String, CaseIterable, Sendable, Hashable {
    case products
    case categories
    case units
    case stock
    case balance
    case sales
    case payments
    case purchases
    case customers
    case suppliers
    case quotes
    case dashboard
    case reports
    case settings
    case identity
    /// Documents as screens and printers show them, with the names of what they name: retired with whatever they show.
    case views

    /// The number, dense from zero, at most 63: the place in tables by module, and a bit of a token's text.
    ///
    /// Instances of two releases read each other's tokens, so a number is never given to another module; new ones come last.
    package var index: Int {
        switch self {
        case .products: 0
        case .categories: 1
        case .units: 2
        case .stock: 3
        case .balance: 4
        case .sales: 5
        case .payments: 6
        case .purchases: 7
        case .customers: 8
        case .suppliers: 9
        case .quotes: 10
        case .dashboard: 11
        case .reports: 12
        case .settings: 13
        case .identity: 14
        case .views: 15
        }
    }

    /// Whether values may leave the process: what identifies people stays in the memory of the instance.
    package var isShared: Bool { self != .identity && self != .views }

    /// Whether an old answer may be given, and marked as such, when the database cannot be asked.
    ///
    /// Nothing of these is decided upon at a sale; all other modules are STRICT.
    package var isRelaxed: Bool {
        switch self {
        case .categories, .units, .dashboard, .reports: true
        default: false
        }
    }
}
