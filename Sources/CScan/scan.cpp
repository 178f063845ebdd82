#include "CScan.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <re2/re2.h>
#include <re2/set.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

void say(char *error, size_t size, const char *text) {
    if (error != nullptr && size > 0) std::snprintf(error, size, "%s", text);
}

RE2::Options options(int64_t memory) {
    RE2::Options options;
    // Data is bytes: text that is not UTF-8 is searched as well.
    options.set_encoding(RE2::Options::EncodingLatin1);
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(memory);
    return options;
}

/// What a search needs besides the pattern; one for each thread.
struct Scratch {
    pcre2_match_data *match = pcre2_match_data_create(2, nullptr);
    std::vector<int> ids;
    ~Scratch() { pcre2_match_data_free(match); }
};

Scratch &scratch() {
    thread_local Scratch scratch;
    return scratch;
}

}  // namespace

struct gatehouse_set {
    RE2::Set set;
    explicit gatehouse_set(const RE2::Options &options) : set(options, RE2::UNANCHORED) {}
};

struct gatehouse_pattern {
    pcre2_code *code = nullptr;
    pcre2_match_context *context = nullptr;
    bool compiled = false;
    ~gatehouse_pattern() {
        pcre2_match_context_free(context);
        pcre2_code_free(code);
    }
};

gatehouse_set *gatehouse_set_new(
    const char *const *patterns, const size_t *lengths, size_t count, int64_t memory, char *error, size_t error_size) {
    try {
        std::unique_ptr<gatehouse_set> made(new gatehouse_set(options(memory)));
        for (size_t number = 0; number < count; number++) {
            std::string why;
            if (made->set.Add(re2::StringPiece(patterns[number], lengths[number]), &why) != static_cast<int>(number)) {
                say(error, error_size, why.c_str());
                return nullptr;
            }
        }
        if (!made->set.Compile()) {
            say(error, error_size, "the patterns together are too large");
            return nullptr;
        }
        return made.release();
    } catch (...) {
        say(error, error_size, "out of memory");
        return nullptr;
    }
}

void gatehouse_set_free(gatehouse_set *set) { delete set; }

int gatehouse_set_any(const gatehouse_set *set, const void *text, size_t length) {
    try {
        RE2::Set::ErrorInfo info{RE2::Set::kNoError};
        bool found = set->set.Match(re2::StringPiece(static_cast<const char *>(text), length), nullptr, &info);
        if (info.kind != RE2::Set::kNoError) return -1;
        return found ? 1 : 0;
    } catch (...) {
        return -1;
    }
}

int gatehouse_set_which(const gatehouse_set *set, const void *text, size_t length, int32_t *ids, size_t capacity) {
    try {
        std::vector<int> &found = scratch().ids;
        RE2::Set::ErrorInfo info{RE2::Set::kNoError};
        if (!set->set.Match(re2::StringPiece(static_cast<const char *>(text), length), &found, &info))
            return info.kind == RE2::Set::kNoError ? 0 : -1;
        size_t count = found.size() < capacity ? found.size() : capacity;
        for (size_t number = 0; number < count; number++) ids[number] = found[number];
        return static_cast<int>(count);
    } catch (...) {
        return -1;
    }
}

gatehouse_pattern *gatehouse_pattern_new(
    const char *pattern, size_t length, uint32_t match_limit, char *error, size_t error_size) {
    std::unique_ptr<gatehouse_pattern> made(new (std::nothrow) gatehouse_pattern);
    int code = 0;
    PCRE2_SIZE place = 0;
    if (made) {
        made->code = pcre2_compile(
            reinterpret_cast<PCRE2_SPTR>(pattern), length, PCRE2_MULTILINE | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP,
            &code, &place, nullptr);
        made->context = pcre2_match_context_create(nullptr);
    }
    if (!made || made->context == nullptr) {
        say(error, error_size, "out of memory");
        return nullptr;
    }
    if (made->code == nullptr) {
        char text[160];
        pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR *>(text), sizeof text);
        if (error_size > 0) std::snprintf(error, error_size, "%s, at character %zu", text, static_cast<size_t>(place) + 1);
        return nullptr;
    }
    pcre2_set_match_limit(made->context, match_limit);
    pcre2_set_heap_limit(made->context, 1024);  // KiB
    // Fails on machines that forbid memory that is written and run; the pattern is then interpreted.
    made->compiled = pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE) == 0;
    return made.release();
}

void gatehouse_pattern_free(gatehouse_pattern *pattern) { delete pattern; }

int gatehouse_pattern_is_compiled(const gatehouse_pattern *pattern) { return pattern->compiled ? 1 : 0; }

int gatehouse_pattern_find(
    const gatehouse_pattern *pattern, const void *text, size_t length, size_t start, int cut_front, int cut_back, size_t ranges[4]) {
    pcre2_match_data *match = scratch().match;
    if (match == nullptr) return -1;
    uint32_t flags = (cut_front ? PCRE2_NOTBOL : 0) | (cut_back ? PCRE2_NOTEOL : 0) | PCRE2_NOTEMPTY;
    int found = pcre2_match(pattern->code, static_cast<PCRE2_SPTR>(text), length, start, flags, match, pattern->context);
    if (found == PCRE2_ERROR_NOMATCH) return 0;
    // 0: more groups than there is room for, the first two are there.
    if (found < 0) return -1;
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(match);
    bool has_group = (found == 0 || found > 1) && places[2] != PCRE2_UNSET;
    ranges[0] = places[0];
    ranges[1] = places[1];
    ranges[2] = has_group ? places[2] : places[0];
    ranges[3] = has_group ? places[3] : places[1];
    return ranges[0] <= ranges[2] && ranges[2] <= ranges[3] && ranges[3] <= length ? 1 : -1;
}

int gatehouse_pattern_is_linear(const char *pattern, size_t length, int64_t memory, char *error, size_t error_size) {
    try {
        RE2 compiled(re2::StringPiece(pattern, length), options(memory));
        if (!compiled.ok()) {
            say(error, error_size, compiled.error().c_str());
            return 0;
        }
        if (RE2::PartialMatch("", compiled)) {
            say(error, error_size, "it matches the empty text");
            return 0;
        }
        return 1;
    } catch (...) {
        say(error, error_size, "out of memory");
        return 0;
    }
}

const char *gatehouse_pcre2_version(void) {
    static char version[64];
    static const int length = pcre2_config(PCRE2_CONFIG_VERSION, nullptr) <= static_cast<int>(sizeof version)
                                  ? pcre2_config(PCRE2_CONFIG_VERSION, version)
                                  : 0;
    return length > 0 ? version : "unknown";
}
