package import Kernel

extension Role {
    /// What a member of this role may do, by the names that API keys carry.
    ///
    /// An owner may do all. A manager runs the shop but not its accounts: everything except ``Scope/admin``. A cashier sells
    /// and collects. A stock keeper keeps catalog and stock. A viewer looks.
    package var scopes: Set<Scope> {
        switch self {
        case .owner: Set(Scope.allCases)
        case .manager: Set(Scope.allCases).subtracting([.admin])
        case .cashier:
            [.catalogRead, .stockRead, .salesRead, .salesWrite, .paymentsWrite, .customersRead, .customersWrite]
        case .stockKeeper: [.catalogRead, .catalogWrite, .stockRead, .stockWrite, .importsWrite]
        case .viewer: [.catalogRead, .stockRead, .salesRead, .customersRead, .reportsRead]
        }
    }

    /// Whether a member of this role may give the other role to somebody, or take it away.
    package func mayGrant(_ other: Role) -> Bool {
        switch self {
        case .owner: true
        case .manager, .cashier, .stockKeeper, .viewer: false
        }
    }
}
