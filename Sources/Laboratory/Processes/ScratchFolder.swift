import Foundation
import Synchronization

/// The temporary folder of this test process, in which every server and every test that writes files has a folder of its own.
///
/// Nothing is left behind, however the process ends. A watchdog process holds the read end of a pipe whose write end only this process has: at
/// its end of file, which comes even after kill -9, it ends the servers and removes the folder. Folders whose watchdog was killed as well are
/// swept by the next test process; their owner is known to be dead because it no longer holds the lock on the file `lock`.
package enum ScratchFolder {
    private struct State {
        var path: String?
        var count = 0
    }

    private static let state = Mutex(State())
    private static let prefix = "stock-test."

    /// Makes a new folder; it is gone when the process is.
    package static func make(_ name: String) throws -> String {
        let folder: String = try state.withLock { state in
            let root: String
            if let path = state.path {
                root = path
            } else {
                sweep()
                root = try makeRoot()
                state.path = root
            }
            state.count += 1
            return "\(root)/\(name)-\(state.count)"
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        return folder
    }

    /// Where temporary folders go: short, because the path of a unix socket may have 107 bytes.
    private static var parent: String {
        let wanted = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        return wanted.utf8.count <= 40 ? wanted : "/tmp"
    }

    private static func makeRoot() throws -> String {
        // Made under another name, locked, then renamed: a sweeping process never sees it unlocked.
        let number = UInt64.random(in: 0...UInt64.max)
        let name = "\(getpid())-" + String(number, radix: 36)
        let nascent = "\(parent)/.stock-test-new.\(name)"
        let final = "\(parent)/\(prefix)\(name)"
        try FileManager.default.createDirectory(
            atPath: nascent,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o755]
        )
        let lock = open("\(nascent)/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0, rename(nascent, final) == 0 else {
            throw SpawnError(command: "make \(final)", errno: errno)
        }
        let pipe = try Pipe.make()
        _ = try ChildProcess.spawn(
            "/bin/sh",
            ["-c", "cat >/dev/null\n" + removal, "sh", final],
            environment: ["PATH": "/usr/bin:/bin"],
            inputDescriptor: pipe.readEnd,
            newSession: true
        )
        close(pipe.readEnd)
        // The write end and the lock stay open as long as this process lives: that is their purpose.
        return final
    }

    /// Ends the servers recorded in the folder `$1` and removes it.
    private static let removal = """
        trap '' PIPE HUP INT TERM
        # A zombie, which nobody may ever reap in a container, has no command line.
        alive() { [ -n "$(tr -d '\\0' <"/proc/$1/cmdline")" ]; }
        exec 2>/dev/null
        for f in "$1"/*/stopped; do [ -f "$f" ] && kill -CONT $(cat "$f"); done
        pids=$(cat "$1"/*/pid)
        for p in $pids; do kill -QUIT "$p"; kill -CONT "$p"; done
        n=0
        for p in $pids; do
            while alive "$p" && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.1; done
            kill -KILL "$p"
        done
        rm -rf "$1"
        """

    private static func sweep() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        for name in names where name.hasPrefix(prefix) {
            let folder = "\(parent)/\(name)"
            let lock = open("\(folder)/lock", O_RDWR | O_CLOEXEC)
            guard lock >= 0 else { continue }
            defer { close(lock) }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { continue }
            // A process id in an old folder may belong to somebody else by now: only processes that name the folder are ended.
            for server in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
                guard let text = try? String(contentsOfFile: "\(folder)/\(server)/pid", encoding: .utf8),
                    let processID = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)),
                    let commandLine = try? String(contentsOfFile: "/proc/\(processID)/cmdline", encoding: .utf8),
                    commandLine.contains(folder)
                else { continue }
                kill(processID, SIGKILL)
            }
            try? FileManager.default.removeItem(atPath: folder)
        }
    }
}
