#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Waits on the calling thread.
func blockThread(for duration: Duration) {
    let (seconds, attoseconds) = duration.components
    var wait = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var left = timespec()
    // A signal ends a wait early, and says what is left.
    while nanosleep(&wait, &left) != 0 && errno == EINTR { wait = left }
}
