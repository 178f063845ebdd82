#ifndef CGATEHOUSE_H
#define CGATEHOUSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `seed` (0 to begin).
uint32_t gatehouse_crc32c(uint32_t seed, const void *bytes, size_t length);

/// AES-256-GCM (NIST SP 800-38D) by OpenSSL, with one context for all that a key seals: the key is expanded once. NULL on failure.
/// A context that seals, or one that opens.
void *gatehouse_gcm_new(const uint8_t key[32], int seals);
void gatehouse_gcm_free(void *context);

/// Writes `size` bytes and a tag of 16 to `sealed`; 1 if that went well. A nonce must never be used twice.
int gatehouse_gcm_seal(
    void *context, const uint8_t nonce[12], const void *additional, size_t additional_size, const void *plain, size_t size, void *sealed);

/// Writes what was sealed (`size` bytes, the tag of 16 not counted, which follows them) to `plain`; 1 if the tag is right. Nothing in
/// `plain` is good otherwise.
int gatehouse_gcm_open(
    void *context, const uint8_t nonce[12], const void *additional, size_t additional_size, const void *sealed, size_t size, void *plain);

/// HMAC-SHA256 (RFC 2104) over OpenSSL's SHA-256, as a value: what has taken in the key alone can be copied for each message, which
/// costs two blocks and no allocation where a message is short.
typedef struct {
    uint64_t inner[14];
    uint64_t outer[14];
} gatehouse_hmac;

void gatehouse_hmac_begin(gatehouse_hmac *mac, const void *key, size_t size);
void gatehouse_hmac_update(gatehouse_hmac *mac, const void *bytes, size_t size);
void gatehouse_hmac_end(const gatehouse_hmac *mac, uint8_t digest[32]);

/// Runs a program: nothing to read, pipes for what it prints, none of this process's files, every signal at its default, and a
/// process group of its own; no shell. In C, since Swift's Glibc knows neither pipe2 nor posix_spawn_file_actions_addclosefrom_np.
/// `arguments` begin with the program's own name and end with NULL. `output` and `errors` do not block and are the caller's to close;
/// `pid` is its to wait for. Returns 0, or an errno.
int gatehouse_run(const char *program, char *const arguments[], pid_t *pid, int *output, int *errors);

#endif
