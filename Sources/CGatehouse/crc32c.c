#include "CGatehouse.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE __attribute__((target("sse4.2")))
#define STEP8(crc, word) _mm_crc32_u64(crc, word)
#define STEP1(crc, byte) _mm_crc32_u8(crc, byte)
#elif defined(__aarch64__)
#include <arm_acle.h>
#define HARDWARE __attribute__((target("+crc")))
#define STEP8(crc, word) __crc32cd((uint32_t)(crc), word)
#define STEP1(crc, byte) __crc32cb(crc, byte)
#else
#error "CRC-32C: only x86-64 (with SSE 4.2) and arm64 are supported"
#endif

HARDWARE uint32_t gatehouse_crc32c(uint32_t seed, const void *bytes, size_t length) {
    const unsigned char *cursor = bytes;
    uint64_t crc = seed ^ 0xFFFFFFFFu;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, cursor, 8);
        crc = STEP8(crc, word);
        cursor += 8;
        length -= 8;
    }
    uint32_t tail = (uint32_t)crc;
    while (length-- > 0) {
        tail = STEP1(tail, *cursor++);
    }
    return tail ^ 0xFFFFFFFFu;
}
