import Kernel
import Synchronization

/// The value of the `Date` field, formatted once a second.
///
/// Hummingbird has a cache of its own, but only within its `Application`, which also makes a logger and a task-local
/// value for each request.
final class HTTPDate: Sendable {
    private let clock: WallClock
    private let current = Mutex((second: Int64.min, text: ""))

    init(clock: WallClock) {
        self.clock = clock
    }

    /// The field's value now.
    var text: String {
        let second = clock.now().microsecondsSince1970 / 1_000_000
        return current.withLock { current in
            if current.second != second {
                current = (second, Self.format(second))
            }
            return current.text
        }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func format(_ second: Int64) -> String {
        let days = Int(second / 86_400)
        let ofDay = Int(second % 86_400)
        guard second >= 0, let day = BusinessDay(daysSince1970: days) else { return "Thu, 01 Jan 1970 00:00:00 GMT" }
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (year, month, date) = day.civil
        let clock = "\(two(ofDay / 3600)):\(two(ofDay / 60 % 60)):\(two(ofDay % 60))"
        return "\(names[day.isoWeekday - 1]), \(two(date)) \(months[month - 1]) \(year) \(clock) GMT"
    }
}
