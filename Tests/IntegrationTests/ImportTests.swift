import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Import of a real shop's sales")
    struct ImportTests {
        /// Eight months of a wholesaler's invoices; outside the repository, because of its size.
        static let file = SourceTree.root + "/../shared/data/online-retail-2010-12-to-2011-07.csv.gz"
        static let map = SourceTree.root + "/examples/online-retail.mapping.json"
        static var isPresent: Bool { FileManager.default.fileExists(atPath: file) }

        /// What the file says by rules of its own, in SQL over its raw rows; nothing of the importer is used.
        private static let expectation = """
            CREATE TEMPORARY TABLE raw (invoice text, code text, description text, quantity text, at text, price text, customer text,
                                        country text);
            \\copy raw FROM PROGRAM 'gzip -dc FILE' WITH (FORMAT csv, HEADER true)
            CREATE TEMPORARY TABLE line AS
            SELECT invoice, quantity::numeric AS q, price::numeric AS p, date_trunc('month', at::timestamp) AS month FROM raw;
            CREATE TEMPORARY TABLE bad AS
            SELECT DISTINCT invoice FROM line WHERE NOT (q > 0 AND p >= 0) AND NOT (q < 0 AND p > 0);
            SELECT to_char(month, 'YYYY-MM'),
                   round(coalesce(sum(round(q * p, 2)) FILTER (WHERE q > 0 AND b.invoice IS NULL), 0), 2),
                   round(coalesce(sum(round(-q * p, 2)) FILTER (WHERE q < 0 AND b.invoice IS NULL), 0), 2)
              FROM line LEFT JOIN bad b USING (invoice) GROUP BY month ORDER BY month;
            SELECT 'rejected', count(b.invoice), count(*) FROM line LEFT JOIN bad b USING (invoice);
            """

        @Test(
            "the monthly series of both instances equals a sum made from the file by SQL, and the same file again changes nothing",
            .enabled(if: isPresent, "needs the sales file beside the repository, at ../shared/data")
        )
        func wholeFile() async throws {
            let deployment = try await Deployment.start()
            let tenant = try await deployment.tenant(slug: "retail", currency: "GBP", timezone: "Europe/London")

            // Independently.
            let script = try Self.script()
            let rows = try await run(
                "psql",
                ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", deployment.database.superuserURL, "-f", script]
            ).split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
            let months = rows.dropLast()
            let rejected = try #require(rows.last?[1])

            // By a link, so that the rejected rows are written beside that and not beside the data.
            let file = try ScratchFolder.make("import") + "/sales.csv.gz"
            try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: Self.file)
            let first = try await importSales(deployment, file)
            #expect(first.status == .exited(rejected == "0" ? 0 : 2), "\(first.output)\(first.errors)")
            #expect((first.output + first.errors).contains(rejected), "\(first.output)\(first.errors)")

            for instance in [Tenant.Instance.a, .b] {
                let path = "/v1/balance/series?view=monthly&from=2010-12-01&to=2011-07-31"
                let series = try await tenant.get(path, from: instance)
                try #require(series.status == 200, "\(series.text)")
                let answered = series.json["data"].elements.map {
                    [$0["period"].string ?? "", $0["income"].string ?? "", $0["expense"].string ?? ""]
                }
                #expect(answered == Array(months))
            }

            let before = try await Self.state(deployment, tenant)
            let second = try await importSales(deployment, file)
            #expect(second.status == first.status, "\(second.output)\(second.errors)")
            #expect(try await Self.state(deployment, tenant) == before)
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test(
            "killed in the middle and run again, it ends with the same state as an undisturbed run",
            .enabled(if: isPresent, "needs the sales file beside the repository, at ../shared/data")
        )
        func killedAndResumed() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let undisturbed = try await deployment.tenant(
                slug: "undisturbed",
                currency: "GBP",
                timezone: "Europe/London"
            )
            let disturbed = try await deployment.tenant(slug: "disturbed", currency: "GBP", timezone: "Europe/London")
            let part = try await Self.firstLines(30_000)

            let whole = try await importSales(deployment, part, into: "undisturbed")
            #expect(whole.status == .exited(2) || whole.status == .exited(0), "\(whole.output)\(whole.errors)")
            for _ in 0..<3 {
                let sales = try await Self.sales(deployment, disturbed)
                let running = try StockCommand.spawn(
                    Self.arguments(part, into: "disturbed"),
                    environment: deployment.environment
                )
                try await eventually(within: .seconds(60), "some more sales are committed") {
                    try await Self.sales(deployment, disturbed) > sales || !running.isRunning
                }
                running.signal(SIGKILL)
                try await running.waitForExit()
            }
            let last = try await importSales(deployment, part, into: "disturbed")
            #expect(last.status == whole.status, "\(last.output)\(last.errors)")
            #expect(try await Self.state(deployment, disturbed) == Self.state(deployment, undisturbed))
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("what is no file, or no file of such rows, is told in one line")
        func noFiles() async throws {
            let deployment = try await Deployment.start(instances: 1)
            _ = try await deployment.tenant(slug: "retail", currency: "GBP", timezone: "Europe/London")
            let folder = try ScratchFolder.make("import")
            let wrong = folder + "/wrong.csv"
            try "sku;name;price\nA;Apple;1\n".write(toFile: wrong, atomically: false, encoding: .utf8)
            let empty = folder + "/empty.csv"
            try "".write(toFile: empty, atomically: false, encoding: .utf8)
            for (file, reason) in [
                (folder, "is a folder"), ("/dev/null", "is no file but a device or pipe"),
                (folder + "/none.csv", "No such file or directory"), (empty, "the file is empty"),
                (wrong, "with ';' as delimiter it would have 3 columns"),
            ] {
                for kind in ["products", "sales"] {
                    let result = try await StockCommand.run(
                        ["import", kind, file, "--tenant", "retail"],
                        environment: deployment.environment,
                        within: .seconds(60)
                    )
                    #expect(result.status == .exited(1), "\(file): \(result.output)\(result.errors)")
                    #expect(result.errors.contains(reason), "\(result.errors)")
                    let told = result.errors.split(separator: "\n").filter { !$0.hasPrefix("reading") }
                    #expect(told.count == 1, "\(result.errors)")
                }
            }
            try await deployment.stop()
        }

        @Test("the example files go in as they are, and once more change nothing")
        func examples() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant(slug: "shop", currency: "EUR", timezone: "Europe/Berlin")
            func take(_ kind: String, _ name: String, _ file: String, _ options: String...) async throws -> JSON {
                let folder = SourceTree.root + "/examples/"
                let arguments = ["import", kind, folder + file, "--map", folder + name, "--tenant", "shop", "--json"]
                let result = try await StockCommand.run(arguments + options, environment: deployment.environment)
                #expect(result.status == .exited(0), "\(file): \(result.output)\(result.errors)")
                return JSON(parsing: Array(result.output.utf8))
            }
            for isFirst in [true, false] {
                let products = try await take("products", "till-products.mapping.json", "till-products.csv")
                #expect(products[isFirst ? "created" : "unchanged"].int == 7, "\(products)")
                let sales = try await take("sales", "till-sales.mapping.json", "till-sales.csv")
                #expect(sales[isFirst ? "written" : "unchanged"].int == 9, "\(sales)")
                let retail = try await take(
                    "sales",
                    "online-retail.mapping.json",
                    "online-retail.csv",
                    "--create-products",
                    "--payment-method",
                    "card"
                )
                #expect(retail[isFirst ? "written" : "unchanged"].int == 6, "\(retail)")
                let sources = [("shopify", 1), ("woocommerce", 2), ("square", 2), ("loyverse", 2), ("odoo", 2)]
                for (source, levels) in sources {
                    let file = "\(source)-products.csv"
                    let products = try await take("products", "\(source)-products.mapping.json", file)
                    #expect(products[isFirst ? "created" : "unchanged"].int == 2, "\(products)")
                    let stock = try await take("stock", "\(source)-stock.mapping.json", file)
                    #expect(stock["created"].int == (isFirst ? levels : 0), "\(stock)")
                }
            }
            let series = try await tenant.get("/v1/balance/series?view=daily&from=2026-01-05&to=2026-01-06")
            #expect(series.json["data"].elements.map { $0["income"].string } == ["30.96", "18.89"], "\(series.text)")
            #expect(series.json["data"][1]["expense"].string == "3.49", "\(series.text)")
            let found = try await tenant.get("/v1/products/lookup?code=k%C3%A4-201")
            #expect(found.json["data"][0]["name"].string == "Ziegenkäse \"Crottin\"", "\(found.text)")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("the example files that name each other go in, and once more change nothing")
        func examplesTogether() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant(slug: "shop", currency: "EUR", timezone: "Europe/Berlin")
            func take(_ kind: String, _ file: String, _ options: String...) async throws -> JSON {
                let arguments = ["import", kind, SourceTree.root + "/examples/" + file, "--tenant", "shop", "--json"]
                let result = try await StockCommand.run(arguments + options, environment: deployment.environment)
                #expect(result.status == .exited(0), "\(file): \(result.output)\(result.errors)")
                return JSON(parsing: Array(result.output.utf8))
            }
            let mapping = SourceTree.root + "/examples/till-products.mapping.json"
            #expect(try await take("products", "till-products.csv", "--map", mapping)["created"].int == 7)
            let kinds = [
                ("suppliers", "suppliers.csv", "created", 1), ("customers", "customers.csv", "created", 1),
                ("purchases", "purchases.csv", "created", 3), ("sales", "account-sales.csv", "written", 2),
                ("payments", "payments.csv", "created", 2), ("expenses", "expenses.csv", "created", 2),
                ("prices", "prices.csv", "updated", 2),
            ]
            for isFirst in [true, false] {
                for (kind, file, outcome, rows) in kinds {
                    let report = try await take(kind, file, "--max-errors", "1")
                    #expect(report[isFirst ? outcome : "unchanged"].int == rows, "\(kind): \(report)")
                }
            }
            let found = try await tenant.get("/v1/customers")
            #expect(found.json["data"][0]["balance"].string == "12.10", "\(found.text)")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("a mapping is proposed without a database, and is one that imports take")
        func sniffed() async throws {
            let file = SourceTree.root + "/examples/till-sales.csv"
            let none = ["DATABASE_URL": "postgresql://stock_app:x@127.0.0.1:1/none"]
            let proposed = try await StockCommand.run(
                ["import", "sales", file, "--tenant", "shop", "--sniff"],
                environment: none
            )
            #expect(proposed.status == .exited(0), "\(proposed.errors)")
            let row = "sale 2026-0001, sku BR-101, quantity 6, unit_price 0.45"
            #expect(proposed.errors.contains(row), "\(proposed.errors)")
            let map = try ScratchFolder.make("import") + "/map.json"
            try proposed.output.write(toFile: map, atomically: false, encoding: .utf8)
            let again = try await StockCommand.run(
                ["import", "sales", file, "--tenant", "shop", "--map", map],
                environment: none
            )
            // As far as the database: what is wrong with a mapping is told before.
            #expect(!again.errors.contains("map.json"), "\(again.errors)")
        }

        @Test("objects go in, what was rejected of them once it is corrected, and an export of them again")
        func objects() async throws {
            let deployment = try await Deployment.start(instances: 1)
            _ = try await deployment.tenant(slug: "retail", currency: "EUR", timezone: "Europe/Berlin")
            let folder = try ScratchFolder.make("import")
            let file = folder + "/in.ndjson"
            let lines = #"""
                {"sku":"Ñ 1","name":"Hat","price":1.50,"barcodes":["1","2"]}
                {"sku":"B","name":"Shoe"}

                """#
            try lines.write(toFile: file, atomically: false, encoding: .utf8)
            func take(_ file: String) async throws -> StockCommand.Result {
                try await StockCommand.run(
                    ["import", "products", file, "--tenant", "retail", "--format", "ndjson", "--json"],
                    environment: deployment.environment
                )
            }
            let first = try await take(file)
            #expect(first.status == .exited(2), "\(first.errors)")
            let rejected = file + ".products.rejected.ndjson"
            let told = try String(contentsOfFile: rejected, encoding: .utf8)
            #expect(told.hasPrefix(#"{"sku":"B","name":"Shoe","line":2,"code":"price_invalid","#), "\(told)")
            try told.replacing(#""name":"#, with: #""price":"2","name":"#)
                .write(toFile: rejected, atomically: false, encoding: .utf8)
            let second = try await take(rejected)
            #expect(second.status == .exited(0), "\(second.errors)")
            let export = folder + "/out.ndjson"
            let out = try await StockCommand.run(
                ["export", "products", "--tenant", "retail", "--format", "ndjson", "-o", export],
                environment: deployment.environment
            )
            #expect(out.status == .exited(0), "\(out.errors)")
            let again = try await take(export)
            #expect(JSON(parsing: Array(again.output.utf8))["unchanged"].int == 2, "\(again.output)\(again.errors)")
            try await deployment.stop()
        }

        @Test(
            "a member that a mapping does not have is named, with those it has, whatever it holds",
            arguments: ["\";\"", "{}", "1"]
        )
        func unknownMember(value: String) async throws {
            let folder = try ScratchFolder.make("import")
            try "sku,name,price\nA,Äpfel,1\n".write(toFile: folder + "/in.csv", atomically: false, encoding: .utf8)
            try "{\"delimeter\": \(value)}".write(toFile: folder + "/map.json", atomically: false, encoding: .utf8)
            let result = try await StockCommand.run(
                ["import", "products", folder + "/in.csv", "--map", folder + "/map.json", "--tenant", "shop"],
                environment: ["DATABASE_URL": "postgresql://stock_app:x@127.0.0.1:1/none"]
            )
            #expect(result.status == .exited(1), "\(result.errors)")
            #expect(
                result.errors == """
                    \(folder)/map.json: 'delimeter' is no member of a mapping; there are columns, currency, decimal, \
                    delimiter, empty_time, encoding, format, time_format, time_zone
                    """
            )
        }

        @Test("an import that a signal ends says in one line how it goes on", arguments: [SIGINT, SIGTERM])
        func interrupted(by signal: Int32) async throws {
            let deployment = try await Deployment.start(instances: 1)
            _ = try await deployment.tenant(slug: "retail", currency: "GBP", timezone: "Europe/London")
            let file = try ScratchFolder.make("import") + "/in.csv"
            try "sku,name,price\nA,Äpfel,1\nB,,\n".write(toFile: file, atomically: false, encoding: .utf8)
            let arguments = ["import", "products", file, "--tenant", "retail"]
            let blockade = try await Blockade.begin("LOCK TABLE stock.product", on: deployment.database)
            let running = try StockCommand.spawn(arguments, environment: deployment.environment)
            try await eventually(within: .seconds(20), "the import waits for the lock") {
                try await deployment.database.psql(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND usename = 'stock_app' AND wait_event_type = 'Lock'
                    """
                ) != "0"
            }
            running.signal(signal)
            #expect(try await running.waitForExit(within: .seconds(10)) == .exited(128 + signal))
            try await eventually("all is said") { running.errors.isClosed }
            let cause = signal == SIGINT ? "interrupted" : "ended by SIGTERM"
            #expect(
                running.errors.lines == [
                    "\(cause); what was written stays, and the same command again goes on from there"
                ]
            )
            try await blockade.end()
            // As it was said: the same command again.
            let again = try await StockCommand.run(arguments, environment: deployment.environment)
            #expect(again.status == .exited(2), "\(again.output)\(again.errors)")
            try await deployment.stop()
        }

        @Test("an import that ends early says what stays of it, and a trial that nothing was written")
        func endedEarly() async throws {
            let deployment = try await Deployment.start(instances: 1)
            _ = try await deployment.tenant(slug: "retail", currency: "GBP", timezone: "Europe/London")
            let file = try ScratchFolder.make("import") + "/in.csv"
            try "sku,name,price\nA,Äpfel,1\nB,,\n".write(toFile: file, atomically: false, encoding: .utf8)
            let arguments = ["import", "products", file, "--tenant", "retail", "--max-errors", "1"]
            let sentences = [
                true: "The import ended early; nothing was written.\n",
                false: "The import ended early; what was written stays, and the same command goes on.\n",
            ]
            for (isTrial, sentence) in sentences {
                let result = try await StockCommand.run(
                    arguments + (isTrial ? ["--dry-run"] : []),
                    environment: deployment.environment,
                    within: .seconds(60)
                )
                #expect(result.status == .exited(1), "\(result.output)\(result.errors)")
                #expect(result.errors.contains(sentence), "\(result.errors)")
            }
            try await deployment.stop()
        }

        @Test("rejected rows replace a file of rejected rows with a word about it, and nothing else there is")
        func rejectedPlace() async throws {
            let deployment = try await Deployment.start(instances: 1)
            _ = try await deployment.tenant(slug: "retail", currency: "GBP", timezone: "Europe/London")
            let folder = try ScratchFolder.make("import")
            let (file, mapping, reports) = (folder + "/in.csv", folder + "/map.json", folder + "/reports")
            try "sku,name,price\nA,Apple,1\nB,,\n".write(toFile: file, atomically: false, encoding: .utf8)
            try "{}".write(toFile: mapping, atomically: false, encoding: .utf8)
            try FileManager.default.createDirectory(atPath: reports, withIntermediateDirectories: false)
            try "mine".write(toFile: reports + "/of-march", atomically: false, encoding: .utf8)
            func run(_ rejected: String, tenant: String = "retail") async throws -> StockCommand.Result {
                try await StockCommand.run(
                    ["import", "products", file, "--map", mapping, "--rejected", rejected, "--tenant", tenant],
                    environment: deployment.environment,
                    within: .seconds(60)
                )
            }
            for place in [reports, file, folder + "/./in.csv", mapping, "/dev/null"] {
                let result = try await run(place)
                #expect(result.status == .exited(64), "\(place): \(result.output)\(result.errors)")
            }
            // The next file to be imported is none of rejected rows, whether this one has any or not.
            let next = folder + "/next.csv"
            for rows in ["sku,name,price\nA,Apple,1\n", "sku,name,price\nA,Apple,1\nB,,\n"] {
                try rows.write(toFile: file, atomically: false, encoding: .utf8)
                try "sku,name,price\nC,Cake,1\n".write(toFile: next, atomically: false, encoding: .utf8)
                let result = try await run(next)
                #expect(result.status == .exited(64), "\(result.output)\(result.errors)")
                #expect(try String(contentsOfFile: next, encoding: .utf8) == "sku,name,price\nC,Cake,1\n")
            }
            let earlier = folder + "/rejected.csv"
            let old = "sku,name,price,line,code,reason\r\nZ,,,9,name_missing,of an earlier run\r\n"
            try old.write(toFile: earlier, atomically: false, encoding: .utf8)
            _ = try await run(earlier, tenant: "nobody")
            #expect(try String(contentsOfFile: earlier, encoding: .utf8) == old)
            let result = try await run(earlier)
            #expect(result.status == .exited(2), "\(result.output)\(result.errors)")
            #expect(
                result.errors.hasSuffix("1 rows were rejected; see \(earlier), which replaces that of an earlier run")
            )
            #expect(try String(contentsOfFile: earlier, encoding: .utf8).contains("B,,,3,"))
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            #expect(left == ["in.csv", "map.json", "next.csv", "rejected.csv", "reports"])
            #expect(try String(contentsOfFile: reports + "/of-march", encoding: .utf8) == "mine")
            try "sku,name,price\nA,Apple,1\n".write(toFile: file, atomically: false, encoding: .utf8)
            let clean = try await run(earlier)
            #expect(clean.status == .exited(0))
            #expect(clean.errors == "no row was rejected: \(earlier) of an earlier run is removed")
            #expect(!FileManager.default.fileExists(atPath: earlier))
            #expect(try await run(earlier).errors == "")
            // An empty file is nobody's.
            try "".write(toFile: earlier, atomically: false, encoding: .utf8)
            #expect(try await run(earlier).errors == "")
            // Rows of two kinds that one file holds are rejected into two.
            try "sku,name,price,on_hand\nA,Apple,1,5\nB,,,\n".write(toFile: file, atomically: false, encoding: .utf8)
            for kind in ["products", "stock"] {
                let result = try await StockCommand.run(
                    ["import", kind, file, "--tenant", "retail"],
                    environment: deployment.environment,
                    within: .seconds(60)
                )
                #expect(result.status == .exited(2), "\(kind): \(result.output)\(result.errors)")
            }
            let both = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("in.csv.") }
            #expect(both.sorted() == ["in.csv.products.rejected.csv", "in.csv.stock.rejected.csv"])
            try await deployment.stop()
        }

        @Test("a sale with a bad line is rejected whole, and its corrected rows are imported as they were rejected")
        func corrected() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant(slug: "retail", currency: "GBP", timezone: "Europe/London")
            let folder = try ScratchFolder.make("import")
            let products = folder + "/products.csv"
            // As a spreadsheet of the old days wrote it.
            try "sku,name,price\rA,Apple,5\rB,Bread,4\rC,Cake,6\r".write(
                toFile: products,
                atomically: false,
                encoding: .utf8
            )
            func run(_ kind: String, _ file: String) async throws -> StockCommand.Result {
                try await StockCommand.run(
                    ["import", kind, file, "--tenant", "retail", "--json"],
                    environment: deployment.environment,
                    within: .seconds(60)
                )
            }
            let made = try await run("products", products)
            #expect(made.status == .exited(0), "\(made.output)\(made.errors)")
            #expect(made.output.contains("\"created\":3"), "\(made.output)")
            let sales = folder + "/sales.csv"
            try """
            sale,sku,quantity,unit_price,occurred_at,Country
            INV-1,A,1,5.00,2026-03-01T10:00:00,"Isle, Man"
            INV-1,B,1,x,2026-03-01T10:00:00,UK
            INV-1,C,1,6.00,2026-03-01T10:00:00,UK

            """.write(toFile: sales, atomically: false, encoding: .utf8)
            let first = try await run("sales", sales)
            #expect(first.status == .exited(2), "\(first.output)\(first.errors)")
            let counts = "\"rejected\":{\"document_rejected\":2,\"price_invalid\":1}"
            #expect(first.output.contains(counts), "\(first.output)")
            #expect(first.output.contains("\"unused_columns\":[\"Country\"]"), "\(first.output)")
            let rejected = "\(sales).sales.rejected.csv"
            let text = try String(contentsOfFile: rejected, encoding: .utf8)
            #expect(text.hasPrefix("sale,sku,quantity,unit_price,occurred_at,Country,line,code,reason\r\n"), "\(text)")
            #expect(text.contains("INV-1,A,1,5.00,2026-03-01T10:00:00,\"Isle, Man\",2,document_rejected,"), "\(text)")
            try text.replacingOccurrences(of: ",x,", with: ",4.00,")
                .write(toFile: rejected, atomically: false, encoding: .utf8)
            let second = try await run("sales", rejected)
            #expect(second.status == .exited(0), "\(second.output)\(second.errors)")
            #expect(
                try await deployment.database.psql(
                    "SELECT string_agg(total::text, ',') FROM stock.sale WHERE tenant_id = \(tenant.id)"
                ) == "15.0000"
            )
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        @Test("rejected rows are written with line, code and reason; the rest goes in")
        func rejectedRows() async throws {
            let deployment = try await Deployment.start(instances: 1)
            let tenant = try await deployment.tenant(slug: "retail", currency: "GBP", timezone: "Europe/London")
            let file = try ScratchFolder.make("import") + "/sales.csv"
            try """
            InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
            1,ABC,Lamp,2,2011-03-01T10:00:00,1.505,,UK
            2,abc,Lamp,0,2011-03-01T10:01:00,1.50,,UK
            3,ABC,Lamp,1,2011-03-01T10:02:00,-1.50,,UK
            4,ABC,Lamp,-1,2011-03-01T10:03:00,0,,UK
            5,ABC,Lamp,many,2011-03-01T10:04:00,1.50,,UK
            6,ABC,Lamp,1,yesterday,1.50,,UK
            1,XYZ,"Shade, red",1,2011-03-01T10:00:00,0,,UK
            C7,ABC,Lamp,-1,2011-03-02T09:00:00,1.00,,UK

            """.replacingOccurrences(of: "\n", with: "\r\n").write(toFile: file, atomically: false, encoding: .utf8)
            let result = try await importSales(deployment, file)
            #expect(result.status == .exited(2), "\(result.output)\(result.errors)")
            let rejected = try String(contentsOfFile: "\(file).sales.rejected.csv", encoding: .utf8)
            for line in [3, 4, 5, 6, 7] { #expect(rejected.contains("UK,\(line),"), "\(rejected)") }
            let series = try await tenant.get("/v1/balance/series?view=daily&from=2011-03-01&to=2011-03-02")
            #expect(series.json["data"][0]["income"].string == "3.01")
            #expect(series.json["data"][1]["expense"].string == "1.00")
            let found = try await tenant.get("/v1/products/lookup?code=abc")
            #expect(found.json["data"].elements.count == 1, "\(found.text)")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }

        // MARK: Steps

        private static func arguments(_ file: String, into tenant: String) -> [String] {
            [
                "import", "sales", file, "--tenant", tenant, "--map", map, "--create-products", "--payment-method",
                "card",
            ]
        }

        private func importSales(
            _ deployment: Deployment,
            _ file: String,
            into tenant: String = "retail"
        ) async throws -> StockCommand.Result {
            try await StockCommand.run(
                Self.arguments(file, into: tenant),
                environment: deployment.environment,
                within: .seconds(600)
            )
        }

        private static func script() throws -> String {
            let path = try ScratchFolder.make("script") + "/expectation.sql"
            try expectation.replacingOccurrences(of: "FILE", with: file)
                .write(toFile: path, atomically: false, encoding: .utf8)
            return path
        }

        private static func firstLines(_ count: Int) async throws -> String {
            let path = try ScratchFolder.make("import") + "/sales.csv"
            try await run("sh", ["-c", "gzip -dc \"$1\" | sed \(count)q >\"$2\"", "sh", file, path])
            return path
        }

        private static func sales(_ deployment: Deployment, _ tenant: Tenant) async throws -> Int {
            Int(try await deployment.database.psql("SELECT count(*) FROM stock.sale WHERE tenant_id = \(tenant.id)"))
                ?? 0
        }

        /// Everything the import is to determine, without the ids and times of recording.
        private static func state(_ deployment: Deployment, _ tenant: Tenant) async throws -> [String] {
            let questions = [
                "SELECT count(*), sum(total), sum(paid), min(occurred_at), max(occurred_at) FROM stock.sale WHERE tenant_id = $1",
                "SELECT md5(string_agg(format('%s %s %s', s.occurred_at, s.total, s.paid), ',' ORDER BY s.occurred_at, s.total, s.paid)) FROM stock.sale s WHERE tenant_id = $1",
                "SELECT count(*), sum(quantity), sum(total) FROM stock.sale_line WHERE tenant_id = $1",
                "SELECT count(*), sum(total) FROM stock.sale_return WHERE tenant_id = $1",
                "SELECT direction, method, count(*), sum(amount) FROM stock.ledger_entry WHERE tenant_id = $1 GROUP BY 1, 2 ORDER BY 1, 2",
                "SELECT count(*), sum(quantity) FROM stock.stock_movement WHERE tenant_id = $1",
                """
                SELECT md5(string_agg(format('%s %s %s %s', lower(p.sku), p.name, p.price, l.on_hand), ',' ORDER BY lower(p.sku)))
                  FROM stock.product p JOIN stock.stock_level l ON (l.tenant_id, l.product_id) = (p.tenant_id, p.id)
                 WHERE p.tenant_id = $1
                """,
            ]
            var answers: [String] = []
            for question in questions {
                answers.append(
                    try await deployment.database.psql(
                        question.replacingOccurrences(of: "$1", with: String(tenant.id))
                    )
                )
            }
            return answers
        }
    }
}
