#pragma once
#include <pg_query.h>

// The library carries protobuf-c's descriptions of its own messages. They are not in its public header; the layouts below
// are protobuf-c's stable ABI (protobuf-c.h, 1.x), read only. They let the parse tree be walked by what the linked
// library says of itself, whatever its version. Schema.swift checks the magic numbers before it believes them.
struct gatehouse_pb_enum_value { const char *name; const char *c_name; int value; };
struct gatehouse_pb_enum {
    uint32_t magic; const char *name; const char *short_name; const char *c_name; const char *package_name;
    unsigned n_values; const struct gatehouse_pb_enum_value *values;
};
struct gatehouse_pb_field {
    const char *name; uint32_t id; int label; int type; unsigned quantifier_offset; unsigned offset;
    const void *descriptor; const void *default_value; uint32_t flags; unsigned reserved_flags; void *reserved2; void *reserved3;
};
struct gatehouse_pb_message {
    uint32_t magic; const char *name; const char *short_name; const char *c_name; const char *package_name;
    size_t sizeof_message; unsigned n_fields; const struct gatehouse_pb_field *fields;
};
extern const struct gatehouse_pb_message pg_query__parse_result__descriptor;
extern const struct gatehouse_pb_message pg_query__scan_result__descriptor;
extern const struct gatehouse_pb_message pg_query__node__descriptor;
static inline const struct gatehouse_pb_message *gatehouse_parse_result_descriptor(void) { return &pg_query__parse_result__descriptor; }
static inline const struct gatehouse_pb_message *gatehouse_scan_result_descriptor(void) { return &pg_query__scan_result__descriptor; }
static inline const struct gatehouse_pb_message *gatehouse_node_descriptor(void) { return &pg_query__node__descriptor; }
