#include "CGatehouse.h"

#include <nmmintrin.h>
#include <string.h>

__attribute__((target("sse4.2"))) uint32_t gatehouse_crc32c(uint32_t seed, const void *bytes, size_t length) {
    const unsigned char *cursor = bytes;
    uint64_t crc = seed ^ 0xFFFFFFFFu;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, cursor, 8);
        crc = _mm_crc32_u64(crc, word);
        cursor += 8;
        length -= 8;
    }
    uint32_t tail = (uint32_t)crc;
    while (length-- > 0) {
        tail = _mm_crc32_u8(tail, *cursor++);
    }
    return tail ^ 0xFFFFFFFFu;
}
