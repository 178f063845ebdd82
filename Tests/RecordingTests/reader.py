"""Reads one stored session, as docs/recording-format.md describes it, and prints a line for each frame.

usage: reader.py SESSION_DIRECTORY PUBLIC_KEY_FILE
Exits with an error when anything is not as the document says. Needs libzstd and openssl.
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


def read_segment(data, session, ordinal, previous, entry):
    assert data[:8] == b"GATESEG1" and crc32c(data[:108]) == struct.unpack_from("<I", data, 108)[0], "segment header"
    assert struct.unpack_from("<HHB", data, 8) == (1, 0, 1), "segment version"
    assert uuid.UUID(bytes=data[16:32]) == session, "segment session"
    number, count, first, last, plain, stored = struct.unpack_from("<IIQQQQ", data, 32)
    assert number == ordinal and data[72:104] == previous, "segment place"
    extension = struct.unpack_from("<I", data, 104)[0]
    assert len(data) == 144 + extension + stored, "segment size"
    trailer = hashlib.sha256(data[:-32]).digest()
    assert trailer == data[-32:] and trailer.hex() == entry["sha256"], "segment hash"
    frames = list(frames_of(decompress(data[112 + extension : -32], plain)))
    assert len(frames) == count == entry["frames"], "segment frames"
    assert (frames[0][2], frames[-1][2]) == (first, last), "segment sequences"
    return frames, trailer


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


def main():
    directory, public = sys.argv[1:]

    def load(name):
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()

    with open(public) as file:
        check_signature(load("manifest.json"), load("manifest.sig").decode(), file.read())
    manifest = json.loads(load("manifest.json"))
    session = uuid.UUID(os.path.basename(directory))
    assert manifest["format"] == 1 and uuid.UUID(manifest["session"]) == session, "manifest"
    previous, frames = bytes(32), []
    for ordinal, entry in enumerate(manifest["segments"], 1):
        assert entry["file"] == "%06d.seg" % ordinal, "file name"
        more, previous = read_segment(load(entry["file"]), session, ordinal, previous, entry)
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
    for kind, owner, sequence, time, payload in frames:
        print(kind, owner, sequence, time, payload.hex())


main()
