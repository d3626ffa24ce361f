import Kernel

/// What commands given at once can meet at.
enum ModelTouch: Hashable, Sendable {
    case level(product: Int, location: Int)
    case product(Int)
    case customer(Int)
    case counted(product: Int, location: Int)
}

extension ShopModel {
    /// What a command reads or writes that others do, too.
    func touches(of command: ModelCommand) -> Set<ModelTouch> {
        switch command {
        case .sell(let cart):
            let location = registers[cart.register].location
            return goods(cart.lines.map(\.product), at: [location])
                .union(cart.customer.map { [.customer($0)] } ?? [])
        case .cancelSale(let place), .takeBack(let place, _, _, _):
            let sale = sales[place]
            return goods(sale.lines.map(\.product), at: Array(0..<locationCount))
                .union(sale.customer.map { [.customer($0)] } ?? [])
        case .takeBackUnsold(let register, let lines, _):
            return goods(lines.map(\.product), at: [registers[register].location])
        case .collect(let sale, let customer, _, _):
            return (sale.map { sales[$0].customer } ?? customer).map { [.customer($0)] } ?? []
        case .reversePayment(let place): return payments[place].customer.map { [.customer($0)] } ?? []
        case .draftPurchase(let order): return goods(order.lines.map(\.product), at: [])
        case .receive(let place, _), .cancelPurchase(let place):
            return goods(purchases[place].lines.map(\.product), at: [purchases[place].location])
        case .move(let movements):
            return Set(movements.flatMap { goods([$0.product], at: [$0.location]) })
        case .enterCount(let place, let lines): return counted(lines.map(\.product), at: counts[place].location)
        case .endCount(let place, _):
            let (products, location) = (Array(counts[place].lines.keys), counts[place].location)
            return counted(products, at: location).union(goods(products, at: [location]))
        case .sendTransfer(let place), .receiveTransfer(let place, _):
            let transfer = transfers[place]
            return goods(transfer.lines.map(\.product), at: [transfer.from, transfer.to, transit])
        case .archive(let product, _), .oversell(let product, _): return [.product(product)]
        case .reprice, .pay, .orderPurchase, .openCount, .draftTransfer, .cancelTransfer, .openDrawer, .drawerEntry,
            .closeDrawer, .spend, .reverseSpending:
            return []
        }
    }

    private func goods(_ products: [Int], at locations: [Int]) -> Set<ModelTouch> {
        Set(
            products.flatMap { product in
                [.product(product)] + locations.map { .level(product: product, location: $0) }
            }
        )
    }

    private func counted(_ products: [Int], at location: Int) -> Set<ModelTouch> {
        Set(products.map { .counted(product: $0, location: location) })
    }
}

extension Problem.Code {
    /// Whether what others do at the same time can bring it about, at what both touch.
    func canFollow(from touch: ModelTouch) -> Bool {
        switch (self, touch) {
        case (.insufficientStock, .level), (.insufficientStock, .product), (.stockChanged, .level),
            (.invalidState, .level), (.productInactive, .product), (.validationFailed, .product),
            (.creditLimitExceeded, .customer), (.paymentExceedsDue, .customer), (.duplicate, .counted):
            true
        default: false
        }
    }
}
