#ifndef CSCAN_H
#define CSCAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Patterns over bytes: RE2 says which of many are in a text, in one pass and in linear time; PCRE2 says where one is.
/// Nothing here throws, and everything that is made may be used from several threads at once.

/// Many patterns as one automaton.
typedef struct gatehouse_set gatehouse_set;

/// NULL when a pattern cannot be read or all of them together need more than `memory` bytes; `error` then says why.
gatehouse_set *gatehouse_set_new(
    const char *const *patterns, const size_t *lengths, size_t count, int64_t memory, char *error, size_t error_size);
void gatehouse_set_free(gatehouse_set *set);

/// 1: some pattern is in the text, 0: none, -1: it cannot be told. Allocates nothing once the automaton is warm.
int gatehouse_set_any(const gatehouse_set *set, const void *text, size_t length);

/// Writes the numbers of the patterns that are in the text to `ids`, at most `capacity`; how many, or -1.
int gatehouse_set_which(const gatehouse_set *set, const void *text, size_t length, int32_t *ids, size_t capacity);

/// One pattern, compiled just in time where the machine allows it.
typedef struct gatehouse_pattern gatehouse_pattern;

/// NULL when the pattern cannot be read; `error` then says why. `match_limit` bounds the backtracking at each place.
gatehouse_pattern *gatehouse_pattern_new(
    const char *pattern, size_t length, uint32_t match_limit, char *error, size_t error_size);
void gatehouse_pattern_free(gatehouse_pattern *pattern);

/// 1 when this machine runs it compiled.
int gatehouse_pattern_is_compiled(const gatehouse_pattern *pattern);

/// Searches from `start` on. `cut_front` and `cut_back`: the text goes on before, and behind.
/// 1: found, at [ranges[0], ranges[1]), its group 1 at [ranges[2], ranges[3]) (or the same as the whole, where it has none);
/// 0: not found; -1: the limit was reached.
int gatehouse_pattern_find(
    const gatehouse_pattern *pattern, const void *text, size_t length, size_t start, int cut_front, int cut_back, size_t ranges[4]);

/// 1 when RE2 reads the pattern too, within `memory` bytes, and it does not match the empty text; else 0 and why.
int gatehouse_pattern_is_linear(const char *pattern, size_t length, int64_t memory, char *error, size_t error_size);

/// Versions of the libraries, as they say themselves.
const char *gatehouse_pcre2_version(void);

#ifdef __cplusplus
}
#endif

#endif
