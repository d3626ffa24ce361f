import Kernel

extension JSONObjectReader {
    /// Reads a line of text of a merge patch that null or a blank takes away.
    mutating func clearableText(_ name: String, _ rule: TextRule) -> Change<String?> {
        switch self.clearableChange(name, .blankable(rule)) {
        case .keep: .keep
        case .set(let text): .set(text ?? nil)
        }
    }
}
