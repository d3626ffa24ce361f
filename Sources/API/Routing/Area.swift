import Services

/// A part of the shop: its routes, and the records they edit.
protocol Area: Sendable {
    /// The kinds of record that its routes edit, whose statements connections prepare as they come up.
    static var records: [any Record.Type] { get }

    /// Makes its routes over the services.
    init(shop: Shop)

    /// The routes.
    var routes: [Route] { get }
}
