/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Certificates for remote viewing.
 */
#pragma once

#include "vitrine-spice-server.h"
#include "vt-base.h"

/* Whether the three PEM files can serve: readable, key and certificate belong together, in date.
 * The library would only say that it failed. @ca NULL: @cert stands for itself. */
bool vt_spice_tls_check (const char *cert, const char *key, const char *ca, GError **error);
