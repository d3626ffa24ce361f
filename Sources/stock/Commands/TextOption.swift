import Kernel

extension TextRule {
    /// The text of an option, by the rule that its field has in a body.
    ///
    /// - Parameters:
    ///   - text: As it was typed.
    ///   - option: The option, with its dashes.
    ///   - isRequired: Whether a blank one is refused.
    /// - Returns: The text as it is stored.
    /// - Throws: A usage failure that names the option and what is accepted.
    func read(_ text: String, of option: String, isRequired: Bool = true) throws(CommandFailure) -> String {
        switch isRequired ? readRequired(text) : read(text) {
        case .success(let text): return text
        case .failure(let fault): throw CommandFailure(.usage, "\(option): \(fault.detail)")
        }
    }
}
