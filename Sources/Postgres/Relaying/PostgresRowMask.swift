import Masking

/// How the rows of one result are masked: columns by rules that name them, others by what detectors find in them.
struct PostgresRowMask {
    let client: RowView
    /// nil: the recording holds what the client gets.
    let recording: RowView?
    /// What of the columns that rules name is kept for break-glass recipients, beside what is recorded.
    var original: OriginalView<RowMask>

    init(_ client: RowView, recording: RowView? = nil, original: OriginalView<RowMask> = .nothing) {
        self.client = client
        self.recording = recording
        self.original = original
    }

    var recorded: RowView { recording ?? client }

    /// The mask where it alone changes rows, and the same for all who see them; and whether what came is kept.
    var plain: (mask: RowMask, keepsOriginal: Bool)? {
        guard let mask = client.mask, client.detection == nil, recording == nil else { return nil }
        switch original {
        case .nothing: return (mask, false)
        case .asItCame: return (mask, true)
        case .masked: return nil
        }
    }
}
