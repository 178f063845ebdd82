#include "CGatehouse.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

void *gatehouse_gcm_new(const uint8_t key[32], int seals) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) return NULL;
    if (EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, NULL, seals) != 1) {
        EVP_CIPHER_CTX_free(context);
        return NULL;
    }
    return context;
}

void gatehouse_gcm_free(void *context) { EVP_CIPHER_CTX_free(context); }

int gatehouse_gcm_seal(
    void *context, const uint8_t nonce[12], const void *additional, size_t additional_size, const void *plain, size_t size, void *sealed) {
    int written = 0;
    uint8_t *out = sealed;
    if (additional_size > INT_MAX) return 0;
    if (EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce) != 1) return 0;
    if (EVP_EncryptUpdate(context, NULL, &written, additional, (int)additional_size) != 1) return 0;
    const uint8_t *in = plain;
    while (size > 0) {
        /* In pieces whose size fits into an int; each a whole number of blocks but the last. */
        int piece = size > (1u << 30) ? (1 << 30) : (int)size;
        if (EVP_EncryptUpdate(context, out, &written, in, piece) != 1 || written != piece) return 0;
        out += piece;
        in += piece;
        size -= (size_t)piece;
    }
    if (EVP_EncryptFinal_ex(context, out, &written) != 1 || written != 0) return 0;
    return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, out);
}

int gatehouse_gcm_open(
    void *context, const uint8_t nonce[12], const void *additional, size_t additional_size, const void *sealed, size_t size, void *plain) {
    int written = 0;
    uint8_t *out = plain, tag[16];
    const uint8_t *in = sealed;
    if (additional_size > INT_MAX) return 0;
    if (EVP_DecryptInit_ex(context, NULL, NULL, NULL, nonce) != 1) return 0;
    if (EVP_DecryptUpdate(context, NULL, &written, additional, (int)additional_size) != 1) return 0;
    while (size > 0) {
        int piece = size > (1u << 30) ? (1 << 30) : (int)size;
        if (EVP_DecryptUpdate(context, out, &written, in, piece) != 1 || written != piece) return 0;
        out += piece;
        in += piece;
        size -= (size_t)piece;
    }
    memcpy(tag, in, sizeof tag);
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) != 1) return 0;
    return EVP_DecryptFinal_ex(context, out, &written) == 1;
}
