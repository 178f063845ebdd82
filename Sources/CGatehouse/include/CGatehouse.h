#ifndef CGATEHOUSE_H
#define CGATEHOUSE_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `seed` (0 to begin).
uint32_t gatehouse_crc32c(uint32_t seed, const void *bytes, size_t length);

#endif
