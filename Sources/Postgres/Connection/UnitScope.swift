/// The statement every unit begins with: its tenant and the time it has left, both until its end.
enum UnitScope: Statement {
    static let name = "unit.scope"
    static let sql: SQL = """
        SELECT set_config('stock.tenant_id', $1, true),
               set_config('statement_timeout', $2, true)
        """
    static let parameterTypes: [PostgresType] = [.text, .text]
}
