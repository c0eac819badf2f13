/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The ACPI byte-code writer: what a device's build_aml() says about itself to the guest. ACPI 6.0,
 * chapter 20 (AML grammar) and 6.4 (resource data types).
 *
 * A definition that holds others is opened by its function and closed by vt_aml_end():
 *
 *   vt_aml_scope (aml, "\\_SB.PCI0.LPC");
 *     vt_aml_device (aml, "COM1");
 *       vt_aml_name (aml, "_HID");
 *       vt_aml_eisa_id (aml, "PNP0501");
 *       vt_aml_name (aml, "_CRS");
 *       vt_aml_resources (aml);
 *         vt_aml_io (aml, 0x3f8, 8);
 *         vt_aml_irq (aml, 4);
 *       vt_aml_end (aml);
 *     vt_aml_end (aml);
 *   vt_aml_end (aml);
 */
#pragma once

#include "vt-device.h"

VtAml *vt_aml_new (void);
void   vt_aml_free (VtAml *aml);
/* Frees @aml. (transfer full): its code; NULL where a definition is still open, one was closed too
 * often, a path was malformed or a definition is too long for AML (256 MiB). */
GBytes *vt_aml_free_to_bytes (VtAml *aml);

/* Definitions that hold others. Paths are ASL's: "\\_SB.PCI0", "^LNKA", "COM1"; segments shorter
 * than four characters are padded by '_'. */
void vt_aml_scope (VtAml *aml, const char *path);
void vt_aml_device (VtAml *aml, const char *path);
void vt_aml_package (VtAml *aml, unsigned n_elements); /* At most 255; the elements follow. */
void vt_aml_resources (VtAml *aml);                    /* A resource template, as a buffer. */
void vt_aml_end (VtAml *aml);

/* Name (path, …): the object follows. */
void vt_aml_name (VtAml *aml, const char *path);

/* Objects. */
void vt_aml_integer (VtAml *aml, uint64_t value);
void vt_aml_string (VtAml *aml, const char *ascii);
void vt_aml_eisa_id (VtAml *aml, const char *id); /* "PNP0A08" */

/* Shorthands for the commonest names. */
void vt_aml_name_integer (VtAml *aml, const char *path, uint64_t value);
void vt_aml_name_string (VtAml *aml, const char *path, const char *ascii);
void vt_aml_name_eisa_id (VtAml *aml, const char *path, const char *id);

/* Inside a resource template (6.4.2, 6.4.3). Ranges are fixed: minimum, maximum and length agree. */
void vt_aml_io (VtAml *aml, uint16_t base, uint8_t length);
void vt_aml_irq (VtAml *aml, unsigned irq); /* IRQNoFlags: edge, active high, exclusive. */
void vt_aml_memory32_fixed (VtAml *aml, uint32_t base, uint32_t length, bool writable);
void vt_aml_bus_range (VtAml *aml, uint16_t first, uint16_t last);
void vt_aml_io_range (VtAml *aml, uint16_t first, uint16_t last);       /* WordIO, producer. */
void vt_aml_memory_range32 (VtAml *aml, uint32_t first, uint32_t last); /* DWordMemory, producer. */
/* QWordMemory, producer. */
void vt_aml_memory_range64 (VtAml *aml, uint64_t first, uint64_t last, bool prefetchable);
