import Foundation
import Synchronization

/// Runs fdatasync away from the event loop. Jobs are done in order; what has queued up meanwhile shares one call.
final class JournalSync: Sendable {
    typealias Completion = @Sendable (Result<Void, JournalError>) -> Void

    /// A descriptor, kept open until the last job that names it is done.
    final class Descriptor: Sendable {
        let number: Int32
        let path: String
        private let fileSystem: any FileSystem

        init(number: Int32, path: String, fileSystem: any FileSystem) {
            self.number = number
            self.path = path
            self.fileSystem = fileSystem
        }

        deinit { fileSystem.close(number) }
    }

    private struct Job {
        var files: [Descriptor]
        var directory: String?
        var completion: Completion
    }

    private struct State {
        var jobs: [Job] = []
        var isRunning = false
        var isStopped = false
    }

    private let fileSystem: any FileSystem
    private let log: (any StartLog)?
    private let execute: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let state = Mutex(State())
    private let semaphore = DispatchSemaphore(value: 0)
    /// Set for good once a sync has failed: what the kernel dropped then can not be asked for again.
    let hasFailed = Atomic<Bool>(false)

    init(
        fileSystem: any FileSystem, log: (any StartLog)?, execute: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
    ) {
        self.fileSystem = fileSystem
        self.log = log
        self.execute = execute
    }

    func submit(_ files: [Descriptor], directory: String?, completion: @escaping Completion) {
        let mustStart = state.withLock { state in
            state.jobs.append(Job(files: files, directory: directory, completion: completion))
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart {
            let thread = Thread { [self] in run() }
            thread.name = "gatehouse-sync"
            thread.stackSize = 256 * 1024
            thread.start()
        }
        semaphore.signal()
    }

    /// Lets the thread end after what is queued.
    func stop() {
        state.withLock { $0.isStopped = true }
        semaphore.signal()
    }

    private func run() {
        while true {
            semaphore.wait()
            let (jobs, isStopped) = state.withLock { state in
                defer { state.jobs = [] }
                return (state.jobs, state.isStopped)
            }
            if !jobs.isEmpty { perform(jobs) }
            if isStopped && jobs.isEmpty { return }
            if isStopped { semaphore.signal() }
        }
    }

    private func perform(_ jobs: [Job]) {
        let result = synchronize(jobs)
        let execute = execute
        for job in jobs {
            let completion = job.completion
            execute { completion(result) }
        }
    }

    private func synchronize(_ jobs: [Job]) -> Result<Void, JournalError> {
        if hasFailed.load(ordering: .acquiring) {
            return .failure(JournalError(.poisoned, "the journal could not be synced to disk before"))
        }
        do throws(FileError) {
            // The log names a session before its journal holds anything of it, on the disk, too.
            if let log { try synchronize(log) }
            var done: Set<Int32> = []
            for file in jobs.flatMap(\.files) where done.insert(file.number).inserted {
                try fileSystem.synchronize(file.number, path: file.path)
            }
            for directory in Set(jobs.compactMap(\.directory)) {
                try fileSystem.synchronizeDirectory(directory)
            }
            return .success(())
        } catch {
            hasFailed.store(true, ordering: .releasing)
            return .failure(JournalError(error))
        }
    }
    private func synchronize(_ log: any StartLog) throws(FileError) {
        do {
            try log.synchronize()
        } catch let error as FileError {
            throw error
        } catch {
            throw FileError(operation: "fdatasync", path: "the log of sessions", code: inputOutputErrorCode)
        }
    }
}
