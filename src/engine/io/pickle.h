/* pickle.h: what a Python pickle says, without Python.
 *
 * A pickle is a program that builds values and calls functions. This machine builds numbers, texts, lists, tuples, sets
 * and dictionaries; a call is written down, never made: its result is an object that knows which function was to be
 * called with what. Who reads the values gives a meaning to the few he knows (a tensor's rebuilding); the others are
 * opaque. A pickle that names a function no file of weights has use for (os.system, eval) is refused with that name.
 *
 * Hostile bytes are expected: every length is held against what is there, and memory is at most a constant times the
 * bytes read. Values can contain themselves: who walks through them counts his steps. */
#ifndef CW_IO_PICKLE_H
#define CW_IO_PICKLE_H

#include "../core/core.h"

typedef enum cw_py_kind {
    CW_PY_NONE,
    CW_PY_BOOL,
    CW_PY_INT,   /* fits 64 bits */
    CW_PY_FLOAT,
    CW_PY_TEXT,  /* bytes of the pickle, without a NUL at the end; not yet known to be UTF-8 */
    CW_PY_BYTES,
    CW_PY_BIG,   /* a longer integer, little-endian two's complement */
    CW_PY_LIST,
    CW_PY_TUPLE,
    CW_PY_SET,
    CW_PY_DICT,
    CW_PY_GLOBAL,    /* "module.name", with a NUL at the end */
    CW_PY_OBJECT,    /* item: the function called, its arguments (a tuple), its state or NULL */
    CW_PY_PERSISTENT /* item: the name that the file's own storage knows it by */
} cw_py_kind;

typedef struct cw_py {
    cw_py_kind kind;
    int64_t n, room; /* bytes of a text; items of a container, of a dictionary key, value, key, value .. */
    union {
        int64_t whole;
        double real;
        const char *text;
        struct cw_py **item;
    } as;
} cw_py;

typedef struct cw_pickle cw_pickle;

/* The first pickle in bytes[0..n), which must stay as long as it. NULL with the error recorded. */
cw_pickle *cw_pickle_read(cw_ctx *ctx, const unsigned char *bytes, int64_t n) CW_USED_RESULT;
void cw_pickle_free(cw_pickle *pickle); /* NULL is fine; its values are dead then */
const cw_py *cw_pickle_value(const cw_pickle *pickle);
int64_t cw_pickle_bytes(const cw_pickle *pickle); /* where it ended */
/* Persistent value i, in the order they came; NULL: no such. */
const cw_py *cw_pickle_persistent(const cw_pickle *pickle, int64_t i);

int cw_py_is_global(const cw_py *value, const char *name); /* of any value, also NULL */
int cw_py_is_text(const cw_py *value, const char *text);
/* Item i of a tuple, list or object; NULL: not such, or not so many. */
const cw_py *cw_py_item(const cw_py *value, int64_t i);
const cw_py *cw_py_member(const cw_py *dict, const char *key); /* NULL: not a dictionary, or no such key */
/* What an object is called in messages: its class, or the function that makes it; NULL for other values. */
const char *cw_py_class(const cw_py *object);
/* 1: a number, also NumPy's own (numpy.float64 and the like). */
int cw_py_number(double *out, const cw_py *value);

#endif
