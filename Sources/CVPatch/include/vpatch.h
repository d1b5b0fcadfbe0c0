// The C interface of vpatch: patches, tensor by tensor, in the memory of the caller.
//
// Functions that can fail return a status. Where the last argument is not NULL, a failure sets it to a message that
// says what is wrong and what to do; success sets it to NULL. Messages and all other texts that are returned through a
// `char **` are UTF-8, and the caller frees them with vpatch_free. Structured values are JSON (RFC 8259).
//
// A patch, and a text, may be used by several threads at once; a creation by one at a time. There is no global state.
// A process may fork; the child can use what was open before, except an unfinished creation.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  VPATCH_OK = 0,
  VPATCH_IO = 1,          // the system failed to read or write: permissions, a full disk, a missing file
  VPATCH_INVALID = 2,     // a file is not valid, or damaged
  VPATCH_WRONG_BASE = 3,  // the patch does not belong to these bytes
  VPATCH_MISMATCH = 4,    // the result is not what the patch records
  VPATCH_REFUSED = 5,     // the request contradicts what exists, such as a recipe that does not match
  VPATCH_MISUSE = 6,      // an argument that no caller should give, such as NULL or an unknown name
} vpatch_status;

typedef enum {
  VPATCH_FORWARD = 0,   // from the base to the tuned model
  VPATCH_BACKWARD = 1,  // from the tuned model to the base
} vpatch_direction;

// A tensor in memory: contiguous, row by row, little-endian.
typedef struct {
  const char *name;      // as in safetensors files; not read where no name is needed
  const char *dtype;     // as in safetensors files: "BF16", "F32", …
  const int64_t *shape;  // `rank` dimensions, outermost first
  size_t rank;
  const void *bytes;
  size_t byte_count;
} vpatch_tensor;

// "0.1.0"; not to be freed.
const char *vpatch_version(void);

// Frees a text that this library returned; NULL is allowed.
void vpatch_free(void *text);

// MARK: Patches

typedef struct vpatch_patch vpatch_patch;

// Opens a patch file and verifies all of it. `threads` hash it.
vpatch_status vpatch_open(const char *path, unsigned threads, vpatch_patch **patch, char **message);

// NULL is allowed.
void vpatch_close(vpatch_patch *patch);

// What a patch says about itself: what `vpatch show --json` prints, and "tensor_list": an array of [name, operation,
// dtype, shape, base fingerprint, target fingerprint, stored bytes], in ascending order of name; dtype and shape are
// those of the base, or of an added tensor. Operations: "same", "change", "rows", "add", "remove", "replace".
vpatch_status vpatch_describe(const vpatch_patch *patch, char **json, char **message);

// Makes one tensor from the bytes that the other side has, and checks its fingerprint. `output` may be `input`: then a
// failure leaves the bytes of `input` as they were, unless the status is VPATCH_IO. Bytes of another model are found:
// VPATCH_WRONG_BASE. Input and output have the byte counts of the tensor's two sides, and are aligned to 8 bytes.
vpatch_status vpatch_decode(
    const vpatch_patch *patch, const char *name, vpatch_direction direction, const void *input, size_t input_bytes,
    void *output, size_t output_bytes, char **message);

// MARK: Identity

// The fingerprint of a tensor, as 64 hexadecimal digits with a zero at the end. The name is not part of it.
vpatch_status vpatch_fingerprint(const vpatch_tensor *tensor, char hex[65], char **message);

// The root of a checkpoint. `fingerprints`: a JSON object from tensor names to fingerprints.
vpatch_status vpatch_root(const char *fingerprints, char hex[65], char **message);

// The tensors of a model, a file or a folder: "tensors", an array of [name, dtype, shape]. With `hashes`, each with its
// fingerprint at the end, and the "root".
vpatch_status vpatch_checkpoint(const char *path, int hashes, unsigned threads, char **json, char **message);

// MARK: Names

// Those of `names`, a JSON array of all tensor names of a model, that belong to a recipe: a JSON array, in their order.
vpatch_status vpatch_select(const char *recipe, const char *names, char **json, char **message);

// Finds each tensor of a checkpoint in a model with other names or another arrangement. `request`: an object with
// "base" and "tuned", arrays of [name, dtype, shape], and "config", the model's config or null. The result:
//   "names"       from names of "tuned" to names of "base", of tensors that are stored alike
//   "rearranged"  an array of {"tensor": a name of "base", "sources": names of "tuned", "blocks": […]}. A block is
//                 [source, start in the tensor, start in the source, [[count, step in the tensor, step in the source],
//                 …]], all in elements; the blocks of a tensor cover each of its elements once
//   "only_in_base", "only_in_tuned"  the names that are left
vpatch_status vpatch_match(const char *request, char **json, char **message);

// MARK: Making patches

// Options of a new patch, a JSON object; every member may be missing:
//   "recipe", "only"       what may change: a recipe, or a regular expression for whole tensor names
//   "drop_others"          leave other changes out of the patch
//   "cast_to_base"         round floats of another dtype to the base's dtype
//   "map_keys"             find tensors with other names or another arrangement
//   "partial"              the tuned side has only the trained tensors
//   "adapter"              the folder of the LoRA adapter that was merged into the tuned side
//   "keep_adapter"         keep the whole adapter in the patch
//   "allow_removals", "allow_additions"
//   "prefix"               what the names of the model's tensors begin with in a checkpoint of a training run
//   "name", "note"         texts to keep in the patch
//   "training"             a training record (spec/vpatch-format.md, section 7.3)
//   "replace"              replace an existing file
//   "threads"              a number
// The result is what `vpatch create --json` prints.

// Makes a patch of a base and a tuned model, each a file or a folder; the tuned side may be the folder of an
// adapter or of a distributed checkpoint, or a file of torch.save.
vpatch_status vpatch_create(
    const char *base, const char *tuned, const char *output, const char *options, char **json, char **message);

typedef struct vpatch_creation vpatch_creation;

// Begins a patch whose tuned tensors come one by one from memory, in any order.
vpatch_status vpatch_create_begin(
    const char *base, const char *output, const char *options, vpatch_creation **creation, char **message);

// Adds a tensor. With `borrow` its bytes must stay as they are until the end; otherwise they are copied, if they differ
// from the base's, to a temporary file beside the output.
vpatch_status vpatch_create_add(
    vpatch_creation *creation, const vpatch_tensor *tensor, int borrow, char **message);

// Encodes and writes the patch. The creation is over, also after a failure.
vpatch_status vpatch_create_finish(vpatch_creation *creation, char **json, char **message);

// Ends a creation without a patch; NULL is allowed.
void vpatch_create_cancel(vpatch_creation *creation);

// Writes the patch from a base to the merge of several patches (spec/stacks.md). `stack`: an object with "members", an
// array of [patch file, scale], and optionally "name", and "method" as in stack files: "sum", "ties density=0.5". The
// options are "replace" and "threads". The result is that of vpatch_describe without "tensor_list".
vpatch_status vpatch_merge(
    const char *base, const char *stack, const char *output, const char *options, char **json, char **message);

// MARK: Text

typedef struct vpatch_text vpatch_text;

// Opens the tokenizer and the chat template of a model's folder.
vpatch_status vpatch_text_open(const char *folder, vpatch_text **text, char **message);

// NULL is allowed.
void vpatch_text_close(vpatch_text *text);

// Encodes a row of a data file (docs/data.md), a JSON object: an array of {"ids": […], "learned": [0 or 1 for each id],
// "text": "…", "images": [paths]}, one for each example that the row gives. `folder` holds the images that the row
// names; NULL for none.
vpatch_status vpatch_text_encode(
    const vpatch_text *text, const char *row, const char *folder, char **json, char **message);

// Reads a data file as `vpatch train` does, with every check, for a model's folder. The options, all optional:
//   "vocabulary"                        number of ids that the model knows
//   "max_length", "too_long"            tokens per row, and "cut" or "refuse"
//   "learn_prompts", "allow_outside"    true or false
//   "chat_template", "template_args", "template_date"    texts as for the command; the arguments are an array
//   "threads"
// The result: {"name", "sha256", "rows", "answer_tokens", "cut_rows", "cut_tokens", "left_out_rows", "merged_rows",
// "endless_rows", "images", "uses_date", "date", "unread": [[key, rows], …], "lines": [line of each example],
// "lengths": [tokens of each example], "tokens": "…"}. "tokens" has eight hexadecimal digits for each token, examples one
// after the other: a little-endian 32-bit number whose highest bit says whether the token counts in the loss; the others
// are its id.
vpatch_status vpatch_rows(
    const char *folder, const char *path, const char *options, char **json, char **message);

#ifdef __cplusplus
}
#endif
