"""Reads one stored session, as docs/recording-format.md describes it, and prints a line for each frame.

usage: reader.py SESSION_DIRECTORY PUBLIC_KEY_FILE PRIVATE_KEY_FILE [BREAK_GLASS_KEY_FILE]
With a break-glass key the payload of an original is printed opened: direction, offset, recorded bytes (in decimal), and what was sealed.
Exits with an error when anything is not as the document says. Needs libzstd, openssl and the package cryptography. An empty private key
file reads recordings that are not sealed.
"""

import base64
import ctypes
import ctypes.util
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import uuid

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TABLE = []
for value in range(256):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    TABLE.append(value)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def decompress(data, size):
    zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    output = ctypes.create_string_buffer(size or 1)
    assert zstd.ZSTD_decompress(output, size, data, len(data)) == size, "payload"
    return output.raw[:size]


def check_signature(manifest, line, public):
    word, key_id, raw = public.split()
    assert word == "gatehouse-ed25519" and hashlib.sha256(bytes.fromhex(raw)).hexdigest() == key_id, "public key"
    name, algorithm, signer, signature = line.removesuffix("\n").split(" ")
    assert (name, algorithm, signer) == ("gatehouse-signature-1", "ed25519", key_id), "signature line"
    # SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4).
    spki = bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(raw)
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(spki) + b"\n-----END PUBLIC KEY-----\n"
    with tempfile.TemporaryDirectory() as directory:
        names = {}
        contents = {"key": pem, "message": b"gatehouse manifest 1\n" + manifest, "signature": bytes.fromhex(signature)}
        for name, data in contents.items():
            names[name] = os.path.join(directory, name)
            with open(names[name], "wb") as file:
                file.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", names["key"], "-in", names["message"]]
        done = subprocess.run(command + ["-sigfile", names["signature"]], capture_output=True)
        assert done.returncode == 0, "signature"


def frames_of(data):
    position = 0
    while position < len(data):
        length, checksum = struct.unpack_from("<II", data, position)
        body = data[position + 8 : position + 8 + length]
        assert len(body) == length and crc32c(body) == checksum, "frame"
        version, kind, flags = struct.unpack_from("<BBH", body)
        assert version == 1 and flags == 0 and kind != 0, "frame header"
        sequence, time = struct.unpack_from("<QQ", body, 20)
        yield kind, uuid.UUID(bytes=body[4:20]), sequence, time, body[36:]
        position += 8 + length


def extract(salt, secret):
    mac = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(secret)
    return mac.finalize()


def expand(secret, info, size):
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


def unwrap(private, wrapped, session, info=b"gatehouse session key 1"):
    """RFC 9180 base mode: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002."""
    encapsulated, sealed = wrapped[:32], wrapped[32:]
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    kem = b"KEM" + struct.pack(">H", 0x20)
    pseudo = extract(b"", b"HPKE-v1" + kem + b"eae_prk" + shared)
    secret = expand(pseudo, struct.pack(">H", 32) + b"HPKE-v1" + kem + b"shared_secret" + encapsulated + public, 32)
    suite = b"HPKE" + struct.pack(">HHH", 0x20, 1, 2)
    context = b"\0" + extract(b"", b"HPKE-v1" + suite + b"psk_id_hash")
    context += extract(b"", b"HPKE-v1" + suite + b"info_hash" + info)
    pseudo = extract(secret, b"HPKE-v1" + suite + b"secret")
    key = expand(pseudo, struct.pack(">H", 32) + b"HPKE-v1" + suite + b"key" + context, 32)
    nonce = expand(pseudo, struct.pack(">H", 12) + b"HPKE-v1" + suite + b"base_nonce" + context, 12)
    return AESGCM(key).decrypt(nonce, sealed, session.bytes)


def derive(root, salt, purpose):
    return HKDF(hashes.SHA256(), 32, salt, purpose).derive(root)


def session_key(private, keys, session, *info):
    if private is None:
        return None
    identity = hashlib.sha256(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
    return unwrap(private, bytes.fromhex({entry["recipient"]: entry["key"] for entry in keys}[identity]), session, *info)


def open_chunks(payload, root, header):
    key = AESGCM(derive(root, payload[:32], b"gatehouse segment 2"))
    sealed, plain, index = payload[32:], b"", 0
    while True:
        chunk, sealed = sealed[: (256 << 10) + 16], sealed[(256 << 10) + 16 :]
        extra = hashlib.sha256(header).digest() + struct.pack(">QB", index, not sealed)
        plain += key.decrypt(bytes(4) + struct.pack(">Q", index), chunk, extra)
        index += 1
        if not sealed:
            return plain


def summarise(data):
    names = {1: "start", 2: "identity", 3: "clientMessages", 4: "serverMessages", 5: "verdict", 6: "injected", 7: "withheld", 8: "masked"}
    names.update({9: "notice", 10: "cancel", 11: "gap", 12: "error", 13: "end", 14: "upstream", 15: "approval", 16: "original"})
    flow = ["recorded", "standIns", "masked", "withheld", "gaps"]
    result = {"frames": {}, "client": dict.fromkeys(flow, 0), "server": dict.fromkeys(flow, 0)}
    position = 0
    while data[position] != 255:
        tag, value, shift = data[position], 0, 0
        position += 1
        while True:
            value |= (data[position] & 127) << shift
            position, shift = position + 1, shift + 7
            if data[position - 1] < 128:
                break
        if tag < 32:
            result["frames"][names[tag]] = value
        else:
            result["client" if tag < 37 else "server"][flow[(tag - 32) % 5]] = value
    return result, data[position + 1 :]


def add(total, more):
    for part in total:
        for name, value in more[part].items():
            total[part][name] = total[part].get(name, 0) + value


def batches_of(data, root, session, total):
    key = root and AESGCM(derive(root, session.bytes, b"gatehouse journal 2"))
    while data:
        length, checksum = struct.unpack_from("<II", data)
        record, data = data[: 8 + length], data[8 + length :]
        assert len(record) == 8 + length and crc32c(record[8:]) == checksum, "batch"
        version, kind, flags = struct.unpack_from("<BBH", record, 8)
        first, _, count, clear = struct.unpack_from("<QQII", record, 28)
        assert (version, kind) == (2, 2) and flags & ~3 == 0 and uuid.UUID(bytes=record[12:28]) == session, "batch header"
        summary, rest = summarise(record[52 : 52 + clear])
        assert bool(rest) == bool(flags & 2), "end in the clear"
        add(total, summary)
        body = record[52 + clear :]
        if flags & 1:
            body = key.decrypt(struct.pack(">IQ", 0, first), body, record[8 : 52 + clear])
        frames = list(frames_of(body))
        assert [frame[2] for frame in frames] == list(range(first, first + count)), "batch sequences"
        yield from frames


def read_segment(data, session, ordinal, previous, entry, private):
    assert data[:8] == b"GATESEG1" and crc32c(data[:108]) == struct.unpack_from("<I", data, 108)[0], "segment header"
    version, flags, codec = struct.unpack_from("<HHB", data, 8)
    assert version == 2 and flags & ~1 == 0, "segment version"
    assert uuid.UUID(bytes=data[16:32]) == session, "segment session"
    number, count, first, last, plain, stored = struct.unpack_from("<IIQQQQ", data, 32)
    assert number == ordinal and data[72:104] == previous, "segment place"
    extension = struct.unpack_from("<I", data, 104)[0]
    assert len(data) == 144 + extension + stored, "segment size"
    trailer = hashlib.sha256(data[:-32]).digest()
    assert trailer == data[-32:] and trailer.hex() == entry["sha256"], "segment hash"
    content = json.loads(data[112 : 112 + extension])
    payload, counted = data[112 + extension : -32], {"frames": {}, "client": {}, "server": {}}
    root = session_key(private, content["keys"], session) if flags & 1 else None
    if codec == 2:
        frames = list(batches_of(payload, root, session, counted))
        assert counted == content["summary"], "batches"
    else:
        assert codec == 1, "codec"
        if flags & 1:
            payload = open_chunks(payload, root, data[: 112 + extension])
        frames = list(frames_of(decompress(payload, plain)))
    assert len(frames) == count == entry["frames"] == sum(content["summary"]["frames"].values()), "segment frames"
    assert (frames[0][2], frames[-1][2]) == (first, last), "segment sequences"
    return frames, trailer, content


def open_original(payload, root, session, sequence):
    key = AESGCM(derive(root, session.bytes, b"gatehouse originals 1"))
    plain = key.decrypt(struct.pack(">IQ", 1, sequence), payload[24:], payload[:24])
    zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    zstd.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    zstd.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    size = zstd.ZSTD_getFrameContentSize(plain, len(plain))
    assert size <= 1 << 20, "original"
    return (payload[0],) + struct.unpack_from("<QQ", payload, 8) + (decompress(plain, size).hex(),)


def check_originals(frames, declared):
    recorded, ends = [0, 0], [0, 0]
    for kind, _, _, _, payload in frames:
        if kind in (3, 4):
            recorded[kind - 3] += len(payload)
        if kind == 16:
            offset, count = struct.unpack_from("<QQ", payload, 8)
            assert not any(payload[1:8]) and offset >= ends[payload[0]], "original"
            assert declared or offset == recorded[payload[0]], "place of an original"
            ends[payload[0]] = offset + count
    assert declared or all(end <= size for end, size in zip(ends, recorded)), "what stands for an original"


def account(frames):
    result = {}
    for direction, (side, kind) in enumerate((("client", 3), ("server", 4))):
        recorded = sum(len(payload) for k, _, _, _, payload in frames if k == kind)
        sums = {7: 0, 8: 0, 11: 0}
        for k, _, _, _, payload in frames:
            if k in sums and payload[0] == direction:
                _, seen, stands = struct.unpack_from("<QQQ", payload, 8)
                sums[k] += seen
                recorded -= stands
        result[side] = {"verbatim": max(recorded, 0), "withheldSecrets": sums[7], "replacedByMasks": sums[8], "gaps": sums[11]}
        result[side]["seen"] = sum(result[side].values())
    return result


def private_key(name):
    with open(name) as file:
        words = file.read().split()
    assert not words or words[0] == "gatehouse-recipient-key-x25519", "private key"
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(words[1])) if words else None


def main():
    directory, public, private, *glass = sys.argv[1:]
    key = private_key(private)
    glass = private_key(glass[0]) if glass else None

    def load(name):
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()

    with open(public) as file:
        check_signature(load("manifest.json"), load("manifest.sig").decode(), file.read())
    manifest = json.loads(load("manifest.json"))
    session = uuid.UUID(os.path.basename(directory))
    assert manifest["format"] == 2 and uuid.UUID(manifest["session"]) == session, "manifest"
    previous, frames = bytes(32), []
    for ordinal, entry in enumerate(manifest["segments"], 1):
        assert entry["file"] == "%06d.seg" % ordinal, "file name"
        more, previous, content = read_segment(load(entry["file"]), session, ordinal, previous, entry, key)
        assert content["keys"] == manifest["keys"], "keys"
        assert content.get("originalKeys") == manifest.get("originalKeys"), "keys of originals"
        if ordinal == 1:
            assert (content["start"], content["identity"]) == (manifest["start"], manifest["identity"]), "opening"
        frames += more
    declared = {(gap["after"], gap.get("before")) for gap in manifest["gaps"]}
    last = 0
    for _, owner, sequence, _, _ in frames:
        assert owner == session and sequence > last, "order"
        assert sequence == last + 1 or (last, sequence) in declared, "gap"
        last = sequence
    assert account(frames) == manifest["accounting"], "accounting"
    if frames[-1][0] == 13 and not declared:
        assert json.loads(frames[-1][4])["accounting"] == manifest["accounting"], "end accounting"
    assert sum(manifest["frames"].values()) == len(frames), "counts"
    check_originals(frames, declared)
    root = session_key(glass, manifest.get("originalKeys"), session, b"gatehouse originals key 1")
    for kind, owner, sequence, time, payload in frames:
        if kind == 16 and root:
            print(kind, owner, sequence, time, *open_original(payload, root, owner, sequence))
        else:
            print(kind, owner, sequence, time, payload.hex())


main()
