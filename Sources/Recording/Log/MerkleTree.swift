import Crypto

/// The Merkle tree of RFC 9162 section 2.1 over SHA-256, as far as it takes to append and to know the root: the roots of its complete
/// subtrees, largest first.
struct MerkleTree: Hashable {
    private(set) var size: UInt64 = 0
    private var peaks: [[UInt8]] = []

    static func leafHash(_ entry: [UInt8]) -> [UInt8] { hash([0] + entry) }
    static func nodeHash(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { hash([1] + left + right) }

    private static func hash(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

    mutating func append(_ leafHash: [UInt8]) {
        peaks.append(leafHash)
        var complete = size
        while complete & 1 == 1, peaks.count > 1 {
            let right = peaks.removeLast()
            let left = peaks.removeLast()
            peaks.append(Self.nodeHash(left, right))
            complete >>= 1
        }
        size += 1
    }

    /// The hash of an empty tree is that of nothing.
    var root: [UInt8] {
        guard var root = peaks.last else { return Self.hash([]) }
        for peak in peaks.dropLast().reversed() { root = Self.nodeHash(peak, root) }
        return root
    }
}

/// Proofs (RFC 9162 sections 2.1.3 and 2.1.4). Those that are verified may come from anybody.
enum MerkleProof {
    /// The largest power of two below `count`, which is at least 2.
    private static func split(_ count: Int) -> Int {
        var power = 1
        while power << 1 < count { power <<= 1 }
        return power
    }

    private static func root(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
        var tree = MerkleTree()
        for leaf in leaves { tree.append(leaf) }
        return tree.root
    }

    /// That the leaf at `index` is in the tree of all `leaves` (leaf hashes); nil when there is no such leaf.
    static func inclusion(of index: Int, in leaves: [[UInt8]]) -> [[UInt8]]? {
        guard leaves.indices.contains(index) else { return nil }
        return path(index, leaves[...])
    }

    private static func path(_ index: Int, _ leaves: ArraySlice<[UInt8]>) -> [[UInt8]] {
        guard leaves.count > 1 else { return [] }
        let middle = leaves.startIndex + split(leaves.count)
        return leaves.startIndex + index < middle
            ? path(index, leaves[..<middle]) + [root(leaves[middle...])]
            : path(index - (middle - leaves.startIndex), leaves[middle...]) + [root(leaves[..<middle])]
    }

    /// That the tree of the first `size` of `leaves` is a beginning of that of all; nil when there are fewer.
    static func consistency(from size: Int, in leaves: [[UInt8]]) -> [[UInt8]]? {
        guard size > 0, size <= leaves.count else { return nil }
        return subproof(size, leaves[...], true)
    }

    private static func subproof(_ size: Int, _ leaves: ArraySlice<[UInt8]>, _ isComplete: Bool) -> [[UInt8]] {
        guard size < leaves.count else { return isComplete ? [] : [root(leaves)] }
        let power = split(leaves.count)
        let middle = leaves.startIndex + power
        return size <= power
            ? subproof(size, leaves[..<middle], isComplete) + [root(leaves[middle...])]
            : subproof(size - power, leaves[middle...], false) + [root(leaves[..<middle])]
    }

    /// Section 2.1.3.2.
    static func verifyInclusion(_ proof: [[UInt8]], of leafHash: [UInt8], at index: UInt64, size: UInt64, root: [UInt8]) -> Bool {
        guard index < size, proof.count <= 64, proof.allSatisfy({ $0.count == 32 }) else { return false }
        var (fn, sn) = (index, size - 1)
        var hash = leafHash
        for sibling in proof {
            guard sn != 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                hash = MerkleTree.nodeHash(sibling, hash)
                while fn & 1 == 0, fn != 0 {
                    fn >>= 1
                    sn >>= 1
                }
            } else {
                hash = MerkleTree.nodeHash(hash, sibling)
            }
            fn >>= 1
            sn >>= 1
        }
        return sn == 0 && hash == root
    }

    /// Section 2.1.4.2.
    static func verifyConsistency(
        _ proof: [[UInt8]], from first: UInt64, _ firstRoot: [UInt8], to second: UInt64, _ secondRoot: [UInt8]
    ) -> Bool {
        guard first > 0, first <= second, proof.count <= 65, proof.allSatisfy({ $0.count == 32 }) else { return false }
        if first == second { return proof.isEmpty && firstRoot == secondRoot }
        var path = proof
        if first & (first - 1) == 0 { path.insert(firstRoot, at: 0) }
        guard let start = path.first else { return false }
        var (fn, sn) = (first - 1, second - 1)
        while fn & 1 == 1 {
            fn >>= 1
            sn >>= 1
        }
        var (old, new) = (start, start)
        for node in path.dropFirst() {
            guard sn != 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                old = MerkleTree.nodeHash(node, old)
                new = MerkleTree.nodeHash(node, new)
                while fn & 1 == 0, fn != 0 {
                    fn >>= 1
                    sn >>= 1
                }
            } else {
                new = MerkleTree.nodeHash(new, node)
            }
            fn >>= 1
            sn >>= 1
        }
        return sn == 0 && old == firstRoot && new == secondRoot
    }
}
