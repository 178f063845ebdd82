/* SHA256_Init and its like are deprecated in favour of an interface that allocates for every digest. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "CGatehouse.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(((gatehouse_hmac *)0)->inner), "a SHA-256 state does not fit");

static SHA256_CTX load(const uint64_t *from) {
    SHA256_CTX state;
    memcpy(&state, from, sizeof state);
    return state;
}

void gatehouse_hmac_begin(gatehouse_hmac *mac, const void *key, size_t size) {
    uint8_t block[SHA256_CBLOCK] = {0};
    SHA256_CTX state;
    if (size > sizeof block) {
        SHA256_Init(&state);
        SHA256_Update(&state, key, size);
        SHA256_Final(block, &state);
    } else if (size > 0) {
        memcpy(block, key, size);
    }
    for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x36;
    SHA256_Init(&state);
    SHA256_Update(&state, block, sizeof block);
    memcpy(mac->inner, &state, sizeof state);
    for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x36 ^ 0x5c;
    SHA256_Init(&state);
    SHA256_Update(&state, block, sizeof block);
    memcpy(mac->outer, &state, sizeof state);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(&state, sizeof state);
}

void gatehouse_hmac_update(gatehouse_hmac *mac, const void *bytes, size_t size) {
    if (size == 0) return;
    SHA256_CTX state = load(mac->inner);
    SHA256_Update(&state, bytes, size);
    memcpy(mac->inner, &state, sizeof state);
}

void gatehouse_hmac_end(const gatehouse_hmac *mac, uint8_t digest[32]) {
    SHA256_CTX state = load(mac->inner);
    SHA256_Final(digest, &state);
    state = load(mac->outer);
    SHA256_Update(&state, digest, SHA256_DIGEST_LENGTH);
    SHA256_Final(digest, &state);
}
