package import Kernel

extension Role {
    /// What a member of this role may do, by the names that API keys carry.
    ///
    /// An owner may do all. A manager runs the shop but not its accounts: everything except ``Scope/admin``. A cashier sells
    /// and collects. A stock keeper keeps catalog and stock. A viewer looks.
    package var scopes: Set<Scope> {
        switch self {
        case .owner: Self.ownerScopes
        case .manager: Self.managerScopes
        case .cashier: Self.cashierScopes
        case .stockKeeper: Self.stockKeeperScopes
        case .viewer: Self.viewerScopes
        }
    }

    // Made once: every request asks for its caller's.
    private static let ownerScopes = Set(Scope.allCases)
    private static let managerScopes = Set(Scope.allCases).subtracting([.admin])
    private static let cashierScopes: Set<Scope> = [
        .catalogRead, .stockRead, .salesRead, .salesWrite, .salesOffline, .paymentsWrite, .customersRead,
        .customersWrite,
    ]
    private static let stockKeeperScopes: Set<Scope> = [.catalogRead, .catalogWrite, .stockRead, .stockWrite]
    private static let viewerScopes: Set<Scope> = [.catalogRead, .stockRead, .salesRead, .customersRead, .reportsRead]

    /// Whether a member of this role may give the other role to somebody, or take it away.
    package func mayGrant(_ other: Role) -> Bool {
        switch self {
        case .owner: true
        case .manager, .cashier, .stockKeeper, .viewer: false
        }
    }
}
