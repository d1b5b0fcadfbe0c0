#include "CEdit.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum { LINES_KEPT = 1000 };

struct vp_line_editor {
  EditLine *edit;
  History *history;
  HistEvent event;
  char *prompt, *path, *line;
  /* Becomes readable to end a read. */
  int interrupt[2];
  bool interrupted;
};

static vp_line_editor *owner(EditLine *edit) {
  void *data = NULL;
  el_get(edit, EL_CLIENTDATA, &data);
  return data;
}

static char *prompt(EditLine *edit) { return owner(edit)->prompt; }

/* Reads a character, or ends the line if it is interrupted: then el_gets returns NULL. */
static int read_character(EditLine *edit, wchar_t *character) {
  vp_line_editor *editor = owner(edit);
  mbstate_t state;
  memset(&state, 0, sizeof state);
  for (;;) {
    struct pollfd sources[2] = {{STDIN_FILENO, POLLIN, 0}, {editor->interrupt[0], POLLIN, 0}};
    if (poll(sources, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    if (sources[1].revents) {
      char bytes[64];
      if (read(editor->interrupt[0], bytes, sizeof bytes) >= 0) editor->interrupted = true;
      return -1;
    }
    char byte;
    ssize_t count = read(STDIN_FILENO, &byte, 1);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return (int)count;
    size_t used = mbrtowc(character, &byte, 1, &state);
    if (used == (size_t)-2) continue;
    /* A byte that is no text is read as it is, so that nothing gets stuck. */
    if (used == (size_t)-1) *character = (unsigned char)byte;
    return 1;
  }
}

vp_line_editor *vp_line_editor_new(const char *text, const char *path) {
  vp_line_editor *editor = calloc(1, sizeof *editor);
  if (!editor) return NULL;
  if (pipe(editor->interrupt) != 0) {
    free(editor);
    return NULL;
  }
  for (int i = 0; i < 2; i++) fcntl(editor->interrupt[i], F_SETFD, FD_CLOEXEC);
  fcntl(editor->interrupt[1], F_SETFL, O_NONBLOCK);
  setlocale(LC_CTYPE, "");
  editor->prompt = strdup(text);
  editor->path = path ? strdup(path) : NULL;
  editor->edit = el_init("vpatch", stdin, stdout, stderr);
  editor->history = history_init();
  if (!editor->edit || !editor->history || !editor->prompt) {
    vp_line_editor_free(editor);
    return NULL;
  }
  el_set(editor->edit, EL_CLIENTDATA, editor);
  el_set(editor->edit, EL_PROMPT, prompt);
  el_set(editor->edit, EL_EDITOR, "emacs");
  el_set(editor->edit, EL_SIGNAL, 0);
  el_set(editor->edit, EL_GETCFN, read_character);
  history(editor->history, &editor->event, H_SETSIZE, LINES_KEPT);
  history(editor->history, &editor->event, H_SETUNIQUE, 1);
  if (editor->path) history(editor->history, &editor->event, H_LOAD, editor->path);
  el_set(editor->edit, EL_HIST, history, editor->history);
  el_source(editor->edit, NULL);
  return editor;
}

const char *vp_line_editor_read(vp_line_editor *editor, bool *interrupted) {
  int count = 0;
  editor->interrupted = false;
  free(editor->line);
  editor->line = NULL;
  const char *line = el_gets(editor->edit, &count);
  *interrupted = editor->interrupted;
  if (!line || count <= 0 || editor->interrupted) return NULL;
  editor->line = strndup(line, strcspn(line, "\r\n"));
  if (editor->line && *editor->line) history(editor->history, &editor->event, H_ENTER, editor->line);
  return editor->line;
}

void vp_line_editor_interrupt(vp_line_editor *editor) {
  if (write(editor->interrupt[1], "", 1) < 0) return; /* A full pipe interrupts already. */
}

void vp_line_editor_free(vp_line_editor *editor) {
  if (!editor) return;
  if (editor->history) {
    if (editor->path) {
      history(editor->history, &editor->event, H_SAVE, editor->path);
      chmod(editor->path, S_IRUSR | S_IWUSR); /* What was asked is nobody else's business. */
    }
    history_end(editor->history);
  }
  if (editor->edit) el_end(editor->edit);
  close(editor->interrupt[0]);
  close(editor->interrupt[1]);
  free(editor->prompt);
  free(editor->path);
  free(editor->line);
  free(editor);
}
