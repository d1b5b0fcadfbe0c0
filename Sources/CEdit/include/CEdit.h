#ifndef VPATCH_CEDIT_H
#define VPATCH_CEDIT_H

#include <stdbool.h>

/* A line editor with history on the terminal: a thin layer over libedit, whose own functions take variable arguments,
   which Swift cannot call. */
typedef struct vp_line_editor vp_line_editor;

/* - Parameter history: the file that keeps the lines; NULL to keep none.
   - Returns: NULL where there is no memory or no terminal. */
vp_line_editor *vp_line_editor_new(const char *prompt, const char *history);

/* Reads a line. The text has no line feed and is valid until the next call.
   - Returns: NULL at the end of the input (Ctrl-D), or if vp_line_editor_interrupt was called meanwhile; then
     `*interrupted` is true. */
const char *vp_line_editor_read(vp_line_editor *editor, bool *interrupted);

/* Ends a vp_line_editor_read that is running, or the next one. Can be called from another thread. */
void vp_line_editor_interrupt(vp_line_editor *editor);

/* Also restores the terminal. */
void vp_line_editor_free(vp_line_editor *editor);

#endif
