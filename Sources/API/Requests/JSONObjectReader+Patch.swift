import Kernel

extension JSONObjectReader {
    /// Reads a line of text of a merge patch that null or a blank takes away.
    mutating func clearableText(_ name: String, maximum: Int) -> Change<String?> {
        switch self.clearableChange(name, .blankable(maximum: maximum)) {
        case .keep: .keep
        case .set(let text): .set(text ?? nil)
        }
    }
}
