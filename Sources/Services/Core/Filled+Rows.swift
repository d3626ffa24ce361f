package import Cache
import NIOCore
package import Postgres

extension Filled {
    /// The content of a body's row.
    package init(_ row: BodyRow) {
        self.init(
            content: row.body.map { .body($0, etag: row.etag) } ?? .absent,
            snapshot: Snapshot(row.snapshot)
        )
    }

    /// The content of a list without pages.
    init(_ row: ListRow) {
        self.init(
            content: .body(row.body, etag: nil),
            snapshot: Snapshot(row.snapshot),
            eventSequence: row.eventSequence
        )
    }

    /// The body of a page: `{"data":[...],"next_cursor":...}`.
    init(page row: inout PageRow, cursor: ([String]) -> String) {
        self.init(head: ByteBuffer(), page: &row, cursor: cursor)
    }

    /// The same behind the members of an object, whose text is `head`: `{...,"data":[...],"next_cursor":...}`.
    init(head: ByteBuffer, page row: inout PageRow, cursor: ([String]) -> String) {
        var data = row.data
        var body = ByteBuffer()
        body.reserveCapacity(head.readableBytes + data.readableBytes + 256)
        // Its closing brace is where the page begins.
        if var members = head.getSlice(at: head.readerIndex, length: max(0, head.readableBytes - 1)),
            members.readableBytes > 0
        {
            body.writeBuffer(&members)
            body.writeStaticString(",\"data\":[")
        } else {
            body.writeStaticString("{\"data\":[")
        }
        body.writeBuffer(&data)
        body.writeStaticString("],\"next_cursor\":")
        if let next = row.next {
            // A cursor is base64url: nothing in it needs an escape.
            body.writeStaticString("\"")
            body.writeString(cursor(next))
            body.writeStaticString("\"")
        } else {
            body.writeStaticString("null")
        }
        body.writeStaticString("}")
        self.init(
            content: .body(body, etag: nil),
            snapshot: Snapshot(row.snapshot),
            eventSequence: row.eventSequence
        )
    }
}

extension Snapshot {
    /// The same snapshot, in the cache's words.
    package init(_ snapshot: PGSnapshot) {
        self.init(xmin: snapshot.xmin, xmax: snapshot.xmax, xip: snapshot.xip)
    }
}
