/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one error domain of libvitrine.
 *
 * A message is a sentence for the person at the screen: what happened, to which file or property,
 * and what to do about it, in one line without a trailing newline.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VITRINE_ERROR (vitrine_error_quark ())

/**
 * VitrineError:
 * @VITRINE_ERROR_FAILED: something went wrong that has no kind of its own.
 * @VITRINE_ERROR_INVALID: a value, key or file is wrong; the message names it.
 * @VITRINE_ERROR_NOT_FOUND: a machine, file or device does not exist.
 * @VITRINE_ERROR_EXISTS: a thing of that name exists already.
 * @VITRINE_ERROR_DENIED: the operating system forbids it (permissions).
 * @VITRINE_ERROR_BUSY: somebody else holds it (image lock, port, running machine).
 * @VITRINE_ERROR_UNSUPPORTED: this host or build cannot do it.
 * @VITRINE_ERROR_NO_SPACE: disk or memory is exhausted.
 * @VITRINE_ERROR_CORRUPT: a saved file is damaged; nothing was changed.
 * @VITRINE_ERROR_STATE: not possible in the machine's present state.
 */
typedef enum
{
  VITRINE_ERROR_FAILED,
  VITRINE_ERROR_INVALID,
  VITRINE_ERROR_NOT_FOUND,
  VITRINE_ERROR_EXISTS,
  VITRINE_ERROR_DENIED,
  VITRINE_ERROR_BUSY,
  VITRINE_ERROR_UNSUPPORTED,
  VITRINE_ERROR_NO_SPACE,
  VITRINE_ERROR_CORRUPT,
  VITRINE_ERROR_STATE,
} VitrineError;

GQuark vitrine_error_quark (void);

/**
 * vitrine_error_code_from_errno:
 * @err: a positive errno value.
 *
 * Returns: the code above that fits @err best, VITRINE_ERROR_FAILED if none does.
 */
VitrineError vitrine_error_code_from_errno (int err);

G_END_DECLS
