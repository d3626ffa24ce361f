import Domain
import Kernel

extension JSONObjectReader {
    /// Reads `lines` where leaving them out means all there are: an empty list is refused, as it was hardly meant so.
    ///
    /// - Parameters:
    ///   - request: What one is called in the document.
    ///   - read: Reads one.
    /// - Returns: The lines, at most ``DocumentLimits/lines``; none for all.
    mutating func linesOrAll<Line>(_ request: String, _ read: (inout JSONObjectReader) -> Line) -> [Line] {
        let lines = objects("lines", of: request, count: 0...DocumentLimits.lines, read)
        if contains("lines"), lines.isEmpty, !isRecording,
            !errors.list.contains(where: { $0.pointer.hasPrefix("/lines") })
        {
            fail("lines", .required, "Name a line, or leave them out: then all that is open is meant.")
        }
        return lines
    }
}
